//! The page's files, served as they are written in `page/`: nothing of it is built, and nothing comes from elsewhere.

use axum::extract::Path;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! assets {
    ($($kind:ident: $($name:literal)*;)*) => {
        &[$($(($name, $kind, include_str!(concat!("page/", $name))),)*)*]
    };
}

/// Name, type and text.
const ASSETS: &[(&str, &str, &str)] = assets! {
    STYLE: "style.css";
    PICTURE: "icon.svg";
    SCRIPT:
        "app.js" "api.js" "compare.js" "content.js" "detail.js" "format.js" "health.js" "keys.js" "list.js" "logs.js"
        "map.js" "parts.js" "session.js" "spans.js" "timeline.js" "ui.js" "virtual.js" "waterfall.js"
        "vendor/preact.js" "vendor/hooks.js" "vendor/htm.js";
    TEXT: "vendor/LICENSES.txt";
};

/// The one document; which view it shows is its scripts' affair.
pub fn index(status: StatusCode) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (status, kind, include_str!("page/index.html")).into_response()
}

pub async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, text)) => ([(header::CONTENT_TYPE, *kind)], *text).into_response(),
        None => (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, TEXT)], "no such file\n").into_response(),
    }
}
