//! Metrics for Prometheus over plain HTTP, off by default. They are computed when they are fetched, and
//! cost nothing in between.

mod connections;
mod host;
mod text;

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::{
    connections::{Connections, Responding},
    text::MetricsSnapshot,
};
use crate::{
    health::Findings,
    net::{naming::NamingServer, rpc::endpoint::Endpoint, watchdog::Watchdog},
    queue::broker::Broker,
};

/// The longest wait for a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest life of a connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// The delay after a connection that could not be accepted, most often because the process has no file
/// descriptors left.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The source of the metrics.
#[derive(Clone)]
pub(crate) struct MetricsSource {
    pub(crate) broker: Option<Arc<dyn Broker>>,
    pub(crate) naming: Option<NamingServer>,
    pub(crate) endpoint: Endpoint,
    pub(crate) findings: Findings,
    pub(crate) watchdog: Watchdog,
}

impl MetricsSource {
    async fn collect(&self) -> Option<MetricsSnapshot> {
        let connections = self.endpoint.connection_stats();
        let mut metrics = MetricsSnapshot {
            connections: connections.open,
            refused: [
                ("denied", connections.denied),
                ("busy", connections.busy),
                ("evicted", connections.evicted),
            ],
            names: self
                .naming
                .as_ref()
                .map(NamingServer::total_usage)
                .unwrap_or_default(),
            calls: self.endpoint.call_counts(),
            peers: Some(self.endpoint.usage()),
            findings: self.findings.list(),
            network_longest: self.watchdog.longest(),
            ..MetricsSnapshot::default()
        };
        if let Some(broker) = &self.broker {
            metrics.stats = broker.stats().await.ok()?;
            metrics.workers = broker.workers().await.ok()?;
            metrics.histograms = broker.histograms().await.ok()?;
        }
        Some(metrics)
    }
}

/// Binds the address, so that an error is known before anything else runs.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Serves the metrics until `stop`.
pub(crate) async fn serve(listener: TcpListener, source: MetricsSource, stop: CancellationToken) {
    // An endpoint for other machines is open to everybody, by whatever name they call it.
    let local_only = listener
        .local_addr()
        .is_ok_and(|addr| addr.ip().is_loopback());
    let mut connections = Connections::default();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            stream = listener.accept() => stream,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(ACCEPT_DELAY).await;
            continue;
        };
        let responding = Responding::default();
        let connection = connection(stream, source.clone(), responding.clone(), local_only);
        let task = tokio::spawn(timeout(CONNECTION_TIMEOUT, connection));
        connections.add(task.abort_handle(), responding);
    }
}

async fn connection(
    stream: TcpStream,
    source: MetricsSource,
    responding: Responding,
    local_only: bool,
) {
    let service = service_fn(async |request| {
        responding.set(true);
        let response = respond(&request, &source, local_only).await;
        responding.set(false);
        Ok::<_, Infallible>(response)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a metrics connection failed");
    }
}

async fn respond(
    request: &Request<Incoming>,
    source: &MetricsSource,
    local_only: bool,
) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        _ if local_only && !host::is_local(request.headers()) => plain(
            StatusCode::FORBIDDEN,
            "use the host 127.0.0.1 or localhost\n",
        ),
        (&Method::GET | &Method::HEAD, "/metrics") => metrics(source).await,
        (&Method::GET | &Method::HEAD, _) => plain(StatusCode::NOT_FOUND, "see /metrics\n"),
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
    };
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .header(ALLOW, "GET, HEAD")
        .body(Full::new(Bytes::from(text)));
    // The parts are constants, of which a response can be made.
    response.unwrap_or_default()
}

async fn metrics(source: &MetricsSource) -> (StatusCode, &'static str, String) {
    match source.collect().await.map(MetricsSnapshot::encode_text) {
        Some(Ok(text)) => (StatusCode::OK, OPEN_METRICS, text),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n"),
    }
}

fn plain(status: StatusCode, text: &str) -> (StatusCode, &'static str, String) {
    (status, "text/plain; charset=utf-8", text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::SocketAddr,
        time::Duration,
    };

    use crate::node::{Node, NodeConfig};

    fn request(addr: SocketAddr, line: &str) -> String {
        request_at(addr, line, &addr.to_string())
    }

    fn request_at(addr: SocketAddr, line: &str, host: &str) -> String {
        let mut stream = std::net::TcpStream::connect(addr).expect("it listens");
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        text
    }

    #[tokio::test]
    async fn metrics_are_served_at_the_configured_address() {
        let home = tempfile::tempdir().expect("a folder");
        let mut config = NodeConfig::at(home.path());
        config.metrics = Some(([127, 0, 0, 1], 0).into());
        let node = Node::start(&config).expect("starts");
        let addr = node.metrics_addr().expect("served");
        let page = request(addr, "GET /metrics");
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
        assert!(
            page.contains("distro_tui_workers{state=\"idle\"}"),
            "{page}"
        );
        assert!(page.contains("application/openmetrics-text"), "{page}");
        assert!(request(addr, "GET /").starts_with("HTTP/1.1 404"));
        assert!(request(addr, "POST /metrics").starts_with("HTTP/1.1 405"));
        let rebound = request_at(addr, "GET /metrics", "evil.example");
        assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
        let half_sent: Vec<_> = (0..40)
            .map(|_n| {
                let mut stream = std::net::TcpStream::connect(addr).expect("it listens");
                stream
                    .write_all(b"GET /metrics HTTP/1.1\r\nHo")
                    .expect("sent");
                stream
            })
            .collect();
        assert!(request(addr, "GET /metrics").starts_with("HTTP/1.1 200 OK"));
        drop(half_sent);
        let mut second = NodeConfig::at(&home.path().join("second"));
        second.metrics = Some(addr);
        let refused = Node::start(&second).expect_err("it is taken").to_string();
        assert!(refused.contains("--metrics"), "{refused}");
        node.shutdown(Duration::ZERO).await;
    }
}
