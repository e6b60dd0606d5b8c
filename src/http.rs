//! The HTTP client that the session API and OTLP over HTTP share, and the one of gRPC: rustls with an explicit provider
//! (never a process default, which would clash with the host's), no redirects (they would carry the key along), bounded
//! answers.

use std::net::ToSocketAddrs;
use std::sync::{Arc, OnceLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{redirect, Client, ClientBuilder, Proxy, Response};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::Config;
use crate::process::fork;
use crate::process::log::{self, Level};
use crate::status::{Error, Result, MPR_ERR_INTERNAL, MPR_ERR_IO, MPR_ERR_NETWORK, MPR_ERR_TIMEOUT};

/// What identifies the library to servers.
const USER_AGENT: &str = concat!("libmpr/", env!("CARGO_PKG_VERSION"));

/// The client, made when it is first needed: reading the system's certificates takes longer than the rest of init.
pub struct Http {
    config: Arc<Config>,
    tls: OnceLock<ClientConfig>,
    client: OnceLock<Client>,
    /// What this process tells a receiver that asks how it fares: a JSON object in ASCII.
    pub account: fn() -> String,
}

impl Http {
    /// Checks certificate and key files at once when there are any, so that init can refuse them.
    ///
    /// # Errors
    /// As for [`Http::client`].
    pub fn new(config: Arc<Config>, account: fn() -> String) -> Result<Self> {
        let http = Self { tls: OnceLock::new(), client: OnceLock::new(), config, account };
        if http.config.ca_file.is_some() || http.config.client_cert.is_some() || http.config.client_key.is_some() {
            http.client()?;
        }
        Ok(http)
    }

    /// The client; clones share its connections.
    ///
    /// # Errors
    /// MPR_ERR_IO for a certificate or key file that cannot be read, MPR_ERR_INVALID_ARGUMENT for one that is not PEM.
    pub fn client(&self) -> Result<Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let tls = self.tls()?;
        let made = fork::undisturbed(|| built(self.builder()?.tls_backend_preconfigured(tls).http1_only()))?;
        Ok(self.client.get_or_init(|| made).clone())
    }

    /// A client with a connection of its own that speaks nothing but HTTP/2, for gRPC.
    ///
    /// # Errors
    /// As for [`Http::client`].
    pub fn new_grpc_client(&self) -> Result<Client> {
        let mut tls = self.tls()?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let builder = self.builder()?.tls_backend_preconfigured(tls).http2_prior_knowledge();
        let encrypted =
            [&self.config.traces_endpoint, &self.config.logs_endpoint].iter().any(|url| url.scheme() == "https");
        // A proxy passes HTTP/2 on only in a tunnel, which clients ask for only for TLS.
        built(if encrypted { builder } else { builder.no_proxy() })
    }

    fn builder(&self) -> Result<ClientBuilder> {
        let config = &self.config;
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .timeout(config.timeout)
            .connect_timeout(config.timeout)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(Names))
            .pool_max_idle_per_host(4);
        // The client's own matcher takes "*" for names only, not for addresses.
        if ["NO_PROXY", "no_proxy"].iter().any(|name| std::env::var(name).is_ok_and(|hosts| hosts.trim() == "*")) {
            return Ok(builder.no_proxy());
        }
        let Some(proxy) = &config.proxy else { return Ok(builder) };
        let proxy = Proxy::all(proxy.clone()).map_err(|_| Error::invalid("proxy: not a proxy URL"))?;
        Ok(builder.proxy(proxy.no_proxy(reqwest::NoProxy::from_env())))
    }

    /// Made once: reading the system's certificates takes a while.
    fn tls(&self) -> Result<ClientConfig> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls.clone());
        }
        let made = tls(&self.config)?;
        Ok(self.tls.get_or_init(|| made).clone())
    }
}

fn built(builder: ClientBuilder) -> Result<Client> {
    builder.build().map_err(|e| Error::new(MPR_ERR_INTERNAL, format!("no HTTP client: {}", describe(&e))))
}

/// Names are resolved by the system, on a thread that may wait: and not while a fork would leave its locks held.
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let find = move || fork::undisturbed(|| (name.as_str(), 0).to_socket_addrs());
        Box::pin(async move { Ok(Box::new(tokio::task::spawn_blocking(find).await??) as Addrs) })
    }
}

/// The body of an answer, `limit` bytes at most: a hostile or broken server cannot fill the host's memory.
///
/// # Errors
/// MPR_ERR_NETWORK when the answer breaks off, MPR_ERR_TIMEOUT when it takes too long. A longer one is cut, which its reader then finds not to parse.
pub async fn read_bounded(mut response: Response, limit: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    let broken =
        |e: reqwest::Error| Error::new(if e.is_timeout() { MPR_ERR_TIMEOUT } else { MPR_ERR_NETWORK }, describe(&e));
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if room <= chunk.len() {
            break;
        }
    }
    Ok(body)
}

/// A client error with its causes and without the URL, whose query or userinfo may be secret.
pub fn describe(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    match (error.is_timeout(), text.is_empty()) {
        (true, _) => "no answer in time".into(),
        (_, true) => "the request failed".into(),
        _ => text,
    }
}

fn tls(config: &Config) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(MPR_ERR_INTERNAL, format!("TLS: {e}")))?
        .with_root_certificates(roots(config)?);
    match (&config.client_cert, &config.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain = pem_certificates("client_cert", cert)?;
            let key = PrivateKeyDer::from_pem_slice(&read("client_key", key)?)
                .map_err(|_| Error::invalid("client_key: the file holds no private key in PEM form"))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| Error::invalid(format!("client_cert, client_key: they do not fit together: {e}")))
        }
        (Some(_), None) => Err(Error::invalid("client_key: missing; client_cert needs its private key")),
        (None, Some(_)) => Err(Error::invalid("client_cert: missing; client_key needs its certificate")),
    }
}

/// The configured roots, else the system's, else the bundled ones. None are loaded while nothing uses TLS.
fn roots(config: &Config) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let encrypted = [&config.api_base_url, config.traces_endpoint.as_str(), config.logs_endpoint.as_str()]
        .iter()
        .any(|url| url.starts_with("https"));
    if let Some(path) = &config.ca_file {
        roots.add_parsable_certificates(pem_certificates("ca_file", path)?);
        return Ok(roots);
    }
    if encrypted || config.proxy.as_ref().is_some_and(|proxy| proxy.scheme() == "https") {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            log::write(Level::Warn, || "no CA certificates on this system; using the bundled ones".into());
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    Ok(roots)
}

fn pem_certificates(option: &str, path: &str) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(option, path)?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(std::result::Result::ok).collect();
    if all.is_empty() {
        return Err(Error::invalid(format!("{option}: '{path}' holds no certificate in PEM form")));
    }
    Ok(all)
}

fn read(option: &str, path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(MPR_ERR_IO, format!("{option}: '{path}' cannot be read: {e}")))
}
