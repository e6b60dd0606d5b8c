//! From options, environment and defaults to the one checked configuration that everything else reads.

pub mod options;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use reqwest::Url;
use serde_json::{Map, Value};

pub use options::{Hooks, Options};

use crate::status::{Error, Result, MPR_ERR_IO};

/// The API key. Its Debug form hides it, so that no derived Debug can print it.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key itself, for a request header and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// What the key's payload says, read without verification: enough to warn early and to place logs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyClaims {
    /// Workspace id.
    pub workspace: Option<String>,
    /// Project id.
    pub project: Option<String>,
    /// "OTEL" for a key that the platform's OTLP intake takes.
    pub kind: Option<String>,
    /// Expiry in seconds since 1970, if any.
    pub expires: Option<u64>,
}

/// How OTLP is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// "http/protobuf"
    HttpProtobuf,
    /// "http/json"
    HttpJson,
    /// "grpc"
    Grpc,
}

/// How OTLP requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// "none"
    None,
    /// "gzip"
    Gzip,
    /// "zstd"
    Zstd,
}

/// Everything checked and typed.
#[derive(Clone)]
pub struct Config {
    /// Sent raw, as X-Api-Key to the session API and as Authorization to the OTLP intake.
    pub api_key: ApiKey,
    /// What the key says about itself, if it is a JWT.
    pub key_claims: Option<KeyClaims>,
    /// No slash at the end.
    pub api_base_url: String,
    /// Full URL of the traces intake.
    pub traces_endpoint: Url,
    /// Full URL of the logs intake.
    pub logs_endpoint: Url,
    /// How OTLP is sent.
    pub protocol: Protocol,
    /// How its requests are compressed.
    pub compression: Compression,
    /// Extra headers of OTLP requests.
    pub headers: Vec<(String, String)>,
    /// One REST call or one export request.
    pub timeout: Duration,
    /// PEM file of the roots to trust in place of the system's.
    pub ca_file: Option<String>,
    /// PEM file of the client certificate chain, with its key in `client_key`.
    pub client_cert: Option<String>,
    /// PEM file.
    pub client_key: Option<String>,
    /// For all requests; without it the environment's HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.
    pub proxy: Option<Url>,
    /// The OpenTelemetry resource of this process.
    pub resource: Map<String, Value>,
    /// Share of the library's own root spans that is recorded outside a session.
    pub sample_ratio: f64,
    /// Share of the traces outside a session that become documentation traces.
    pub auto_doc_traces_ratio: f64,
    /// Filters, masks and bounds of payloads.
    pub capture: crate::capture::CaptureConfig,
    /// Index into [`crate::process::log::LEVEL_NAMES`].
    pub log_level: u8,
    /// Bytes of recorded data that may wait in memory.
    pub queue_max_bytes: usize,
    /// Bytes of one request before compression.
    pub batch_max_bytes: usize,
    /// Spans and logs of one request.
    pub batch_max_items: usize,
    /// How long a recorded item may wait for company.
    pub flush_interval: Duration,
    /// Where what is not delivered is kept; an absolute path.
    pub spool_dir: Option<PathBuf>,
    /// What all files there may take.
    pub spool_max_bytes: u64,
    /// What is done at exit() without a shutdown may take so long; zero: nothing is done.
    pub exit_timeout: Duration,
    /// The platform ends a manual session by itself after this time.
    pub session_max: Duration,
    /// Whether a manual session that reaches the cap goes on in a new one.
    pub session_rollover: bool,
    /// The host's callbacks.
    pub hooks: Hooks,
}

impl Config {
    /// The same for a forked child: the resource tells which process it is.
    pub fn for_child(&self) -> Self {
        let mut child = self.clone();
        if let Some(pid) = child.resource.get_mut("process.pid") {
            *pid = std::process::id().into();
        }
        child
    }

    /// Checks and completes the options.
    ///
    /// # Errors
    /// MPR_ERR_INVALID_ARGUMENT: no API key anywhere, or a value (also an environment variable's) that is not usable.
    pub fn resolve(options: &Options) -> Result<Self> {
        // Also those that nothing below reads.
        for spec in options::SPECS {
            options.effective(spec.name)?;
        }
        let get = Reader(options);
        let Some(api_key) = get.text("api_key")? else {
            return Err(Error::invalid(
                "api_key: no key; call mpr_options_set_api_key() or set MULTIPLAYER_API_KEY (any word for the local recorder)",
            ));
        };
        let hooks = options.hooks.clone();
        Ok(Self {
            key_claims: claims(&api_key),
            api_key: ApiKey(api_key),
            api_base_url: get.text("api_base_url")?.unwrap_or_default(),
            traces_endpoint: get.url("traces_endpoint")?,
            logs_endpoint: get.url("logs_endpoint")?,
            protocol: match get.text("protocol")?.as_deref() {
                Some("grpc") => Protocol::Grpc,
                Some("http/json") => Protocol::HttpJson,
                _ => Protocol::HttpProtobuf,
            },
            compression: match get.text("compression")?.as_deref() {
                Some("none") => Compression::None,
                Some("zstd") => Compression::Zstd,
                _ => Compression::Gzip,
            },
            headers: get.headers()?,
            timeout: get.millis("timeout_ms")?,
            ca_file: get.text("ca_file")?,
            client_cert: get.text("client_cert")?,
            client_key: get.text("client_key")?,
            proxy: get.text("proxy")?.map(|text| parse_url("proxy", &text)).transpose()?,
            resource: resource(&get)?,
            sample_ratio: get.number("sample_ratio")?,
            auto_doc_traces_ratio: get.number("auto_doc_traces_ratio")?,
            capture: crate::capture::CaptureConfig {
                capture_body: get.flag("capture_body")?,
                capture_headers: get.flag("capture_headers")?,
                max_payload_bytes: get.size("max_payload_bytes")?,
                max_held_bytes: get.size("capture_max_bytes")?,
                headers_to_include: get.names("headers_to_include")?,
                headers_to_exclude: get.names("headers_to_exclude")?,
                decompress: get.flag("decompress")?,
                rules: crate::mask::Rules::new(&crate::mask::RulesConfig {
                    mask_body: get.flag("mask_body")?,
                    mask_headers: get.flag("mask_headers")?,
                    body_fields: get.names("mask_body_fields")?,
                    header_names: get.names("mask_header_names")?,
                    allow_fields: get.names("mask_allow_fields")?,
                    paths: get.names("mask_paths")?,
                    allow_paths: get.names("mask_allow_paths")?,
                    patterns: get.names("mask_patterns")?,
                    emails: get.flag("mask_emails")?,
                })
                .map_err(Error::invalid)?,
                custom: hooks.mask.clone(),
            },
            log_level: log_level(&get.text("log_level")?.unwrap_or_default()),
            queue_max_bytes: get.size("queue_max_bytes")?,
            batch_max_bytes: get.size("batch_max_bytes")?,
            batch_max_items: get.size("batch_max_items")?,
            flush_interval: get.millis("flush_interval_ms")?,
            spool_dir: get
                .text("spool_dir")?
                .map(std::path::absolute)
                .transpose()
                .map_err(|e| Error::new(MPR_ERR_IO, format!("spool_dir: the working directory is not known: {e}")))?,
            spool_max_bytes: get.integer("spool_max_bytes")?,
            exit_timeout: get.millis("exit_timeout_ms")?,
            session_max: Duration::from_secs(get.integer("session_max_seconds")?),
            session_rollover: get.flag("session_rollover")?,
            hooks,
        })
    }
}

/// Typed access to values that the options have already checked.
struct Reader<'a>(&'a Options);

impl Reader<'_> {
    fn text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.0.effective(name)?.as_str().map(str::to_owned))
    }

    fn url(&self, name: &str) -> Result<Url> {
        parse_url(name, &self.text(name)?.unwrap_or_default())
    }

    fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.0.effective(name)? == Value::Bool(true))
    }

    fn integer(&self, name: &str) -> Result<u64> {
        Ok(self.0.effective(name)?.as_u64().unwrap_or_default())
    }

    fn size(&self, name: &str) -> Result<usize> {
        Ok(usize::try_from(self.integer(name)?).unwrap_or(usize::MAX))
    }

    fn millis(&self, name: &str) -> Result<Duration> {
        Ok(Duration::from_millis(self.integer(name)?))
    }

    fn number(&self, name: &str) -> Result<f64> {
        Ok(self.0.effective(name)?.as_f64().unwrap_or_default())
    }

    fn names(&self, name: &str) -> Result<Vec<String>> {
        let value = self.0.effective(name)?;
        Ok(value.as_array().into_iter().flatten().filter_map(|v| Some(v.as_str()?.to_owned())).collect())
    }

    fn object(&self, name: &str) -> Result<Map<String, Value>> {
        match self.0.effective(name)? {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }

    /// Names and values that cannot break out of their header line.
    fn headers(&self) -> Result<Vec<(String, String)>> {
        let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let headers: Vec<_> = self.object("headers")?.into_iter().map(|(name, value)| (name, plain(value))).collect();
        for (position, (name, value)) in headers.iter().enumerate() {
            if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err()
                || reqwest::header::HeaderValue::from_str(value).is_err()
            {
                return Err(Error::invalid(format!("headers: entry {} is not a valid HTTP header", position + 1)));
            }
        }
        Ok(headers)
    }
}

fn parse_url(name: &str, text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| Error::invalid(format!("{name}: not a URL; use http://host:port or https://host")))
}

fn log_level(name: &str) -> u8 {
    let index = crate::process::log::LEVEL_NAMES.iter().position(|level| *level == name);
    index.and_then(|index| u8::try_from(index).ok()).unwrap_or(0)
}

/// The middle part of a JWT. The signature is the platform's business.
fn claims(key: &str) -> Option<KeyClaims> {
    let mut parts = key.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(KeyClaims {
        workspace: text("workspace"),
        project: text("project"),
        kind: text("type"),
        expires: payload.get("exp").and_then(Value::as_u64),
    })
}

/// The resource: what is detected, under what the environment and the options say. The platform reads the old key
/// `deployment.environment`; both are sent.
fn resource(get: &Reader) -> Result<Map<String, Value>> {
    let executable = std::env::current_exe().ok();
    let executable = executable.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    let mut all: Map<String, Value> = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            all.insert(key.to_owned(), value);
        }
    };
    put("service.name", Some(format!("unknown_service:{}", executable.unwrap_or("process")).into()));
    put("telemetry.sdk.name", Some("libmpr".into()));
    put("telemetry.sdk.language", Some("rust".into()));
    put("telemetry.sdk.version", Some(env!("CARGO_PKG_VERSION").into()));
    put("process.pid", Some(std::process::id().into()));
    put("process.executable.name", executable.map(Into::into));
    put("host.name", host_name().map(Into::into));
    put("host.arch", Some(std::env::consts::ARCH.into()));
    put("os.type", Some(std::env::consts::OS.into()));
    for (key, value) in get.object("resource_attributes")? {
        put(&key, Some(value));
    }
    put("service.name", get.text("service_name")?.map(Value::from));
    put("service.version", get.text("service_version")?.map(Value::from));
    let environment = get.text("environment")?.map(Value::from);
    put("deployment.environment", environment.clone());
    put("deployment.environment.name", environment);
    for (one, other) in [
        ("deployment.environment", "deployment.environment.name"),
        ("deployment.environment.name", "deployment.environment"),
    ] {
        if let (Some(value), false) = (all.get(one).cloned(), all.contains_key(other)) {
            all.insert(other.to_owned(), value);
        }
    }
    Ok(all)
}

#[cfg(target_os = "linux")]
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(not(target_os = "linux"))]
fn host_name() -> Option<String> {
    std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_key_is_hidden_and_its_claims_are_read() {
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(br#"{"workspace":"w","project":"p","type":"OTEL","iat":1}"#);
        let key = format!("eyJhbGciOiJIUzI1NiJ9.{payload}.sig");
        let claims = claims(&key).unwrap();
        assert_eq!((claims.workspace.as_deref(), claims.kind.as_deref()), (Some("w"), Some("OTEL")));
        assert_eq!(format!("{:?}", ApiKey(key)), "ApiKey(***)");
        assert_eq!(super::claims("local"), None);
    }

    #[test]
    fn the_resource_has_both_environment_keys_and_the_hosts_own_word_wins() {
        let mut options = Options::default();
        options
            .set_json(
                r#"{"api_key":"k","resource_attributes":{"deployment.environment.name":"prod","host.name":"h1"}}"#,
            )
            .unwrap();
        options.set("service_name", json!("shop")).unwrap();
        let config = Config::resolve(&options).unwrap();
        let of = |key: &str| config.resource.get(key).and_then(Value::as_str);
        assert_eq!(of("service.name"), Some("shop"));
        assert_eq!(of("host.name"), Some("h1"));
        assert_eq!(of("deployment.environment"), Some("prod"));
    }
}
