//! What the bodies and paths of the session API may hold, as the platform's schemas say it.

use crate::validate::{
    array, hex, key, object, one_of, required, up_to, Array, Key, Object, Schema, EMAIL, FREE_OBJECT, MAYBE_EMPTY,
    STRING,
};

const TAGS_LIMIT: usize = 32;

pub const DEBUG_ID: Schema = object(&[required("debugSessionId", Schema::OneOf(&[hex(24), hex(16), hex(8)]))]);
pub const CONTINUOUS_ID: Schema = object(&[required("continuousDebugSessionId", STRING)]);
pub const EMPTY: Schema = object(&[]);

pub const TAGS: Schema = Schema::Array(Array {
    items: &object(&[key("key", up_to(200)), required("value", up_to(200))]),
    min: 0,
    max: TAGS_LIMIT,
});

const END_USER: Schema = object(&[
    required("type", one_of(&["USER", "VISITOR", "API_CLIENT"])),
    key("id", STRING),
    key("name", STRING),
    key("groupId", STRING),
    key("groupName", STRING),
    key("environment", STRING),
    key("userEmail", STRING),
    key("userId", STRING),
    key("userName", STRING),
    key("accountId", STRING),
    key("accountName", STRING),
    key("orgId", STRING),
    key("orgName", STRING),
]);
/// The platform's second alternative, `Joi.allow(null)`, lets anything through.
const USER_ATTRIBUTES: Schema = Schema::OneOf(&[END_USER, Schema::Any]);

const FEEDBACK: Schema = object(&[key("email", EMAIL), key("notifyOnUpdates", Schema::Bool), key("comment", STRING)]);

pub const START: Schema = object(&[
    key("name", STRING),
    key("tags", TAGS),
    key("sessionAttributes", FREE_OBJECT),
    key("resourceAttributes", FREE_OBJECT),
    key("userAttributes", USER_ATTRIBUTES),
    key("workspace", hex(24)),
    key("project", hex(24)),
    key("metadata", FREE_OBJECT),
    key("clientMetadata", FREE_OBJECT),
    key("userMetadata", FEEDBACK),
]);

pub const STOP: Schema = object(&[
    key("sessionAttributes", FREE_OBJECT),
    key("stoppedAt", Schema::Date),
    key("metadata", FREE_OBJECT),
    key(
        "userMetadata",
        object(&[key("email", EMAIL), key("notifyOnUpdates", Schema::Bool), key("comment", MAYBE_EMPTY)]),
    ),
]);

const UPDATE_KEYS: &[Key] = &[
    key("name", STRING),
    key("tags", TAGS),
    key("sessionAttributes", FREE_OBJECT),
    key("resourceAttributes", FREE_OBJECT),
    key("userAttributes", USER_ATTRIBUTES),
    key("startedAt", Schema::Date),
    key("stoppedAt", Schema::Date),
];
pub const UPDATE: Schema = Schema::Object(Object {
    keys: UPDATE_KEYS,
    unknown: false,
    with: &[("startedAt", "stoppedAt"), ("stoppedAt", "startedAt")],
});

pub const ERROR_SPAN: Schema = object(&[
    key("workspace", hex(24)),
    key("project", hex(24)),
    required(
        "span",
        object(&[
            key("_spanContext", Schema::Any),
            required("traceId", Schema::Any),
            required("spanId", Schema::Any),
            required("name", Schema::Any),
            required("kind", Schema::Any),
            key("links", Schema::Any),
            key("ended", Schema::Any),
            key("events", Schema::Any),
            required("status", Schema::Any),
            key("endTime", Schema::Any),
            key("startTime", Schema::Any),
            key("duration", Schema::Any),
            key("attributes", Schema::Any),
            key("parentSpanId", Schema::Any),
            key("droppedAttributesCount", Schema::Any),
            key("droppedEventsCount", Schema::Any),
            key("droppedLinksCount", Schema::Any),
            key("resource", Schema::Any),
            key("instrumentationScope", Schema::Any),
        ]),
    ),
]);

pub const RRWEB: Schema = object(&[key(
    "events",
    array(&object(&[
        required("event", Schema::OneOf(&[STRING, FREE_OBJECT])),
        key("eventType", Schema::Number),
        key("timestamp", Schema::Number),
    ])),
)]);

pub const CONTINUOUS_START: Schema = object(&[
    key("workspace", hex(24)),
    key("project", hex(24)),
    key(
        "debugSessionData",
        object(&[
            key("name", STRING),
            key("sessionAttributes", FREE_OBJECT),
            key("resourceAttributes", FREE_OBJECT),
            key("userAttributes", USER_ATTRIBUTES),
            key("tags", array(&STRING)),
            key("stoppedAt", Schema::Date),
            key("metadata", FREE_OBJECT),
            key("clientMetadata", FREE_OBJECT),
            key("feedbackMetadata", FEEDBACK),
        ]),
    ),
]);

pub const SAVE: Schema = object(&[
    key("name", STRING),
    key("sessionAttributes", FREE_OBJECT),
    key("resourceAttributes", FREE_OBJECT),
    key("tags", array(&STRING)),
    key("stoppedAt", Schema::Date),
    key("metadata", FREE_OBJECT),
    key("clientMetadata", FREE_OBJECT),
    key("userMetadata", FREE_OBJECT),
    key("feedbackMetadata", FEEDBACK),
]);

pub const REMOTE_CHECK: Schema = object(&[
    key("sessionAttributes", FREE_OBJECT),
    key("resourceAttributes", FREE_OBJECT),
    key("userAttributes", USER_ATTRIBUTES),
]);

pub const GAUGE: Schema = Schema::Array(Array {
    items: &object(&[
        required("userAttributes", END_USER),
        required(
            "MetricName",
            one_of(&["session_recording_rate", "session_recording_with_error_rate", "issue_rate", "end_user_activity"]),
        ),
        key("Attributes", Schema::MapOf(&STRING)),
        required("Value", Schema::Number),
    ]),
    min: 1,
    max: usize::MAX,
});
