//! Numbers for Prometheus, over plain HTTP on an address that somebody has asked for. Nothing is counted
//! for it while nobody asks: a page is made when it is fetched.

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
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::text::Numbers;
use crate::{
    net::{naming::NamingServer, rpc::endpoint::Endpoint},
    queue::{broker::Inspect, embedded::Embedded},
};

/// Connections at once; the next ones wait.
const MAX_CONNECTIONS: usize = 16;
/// Whoever asks has this long to say what for.
const PATIENCE: Duration = Duration::from_secs(5);
/// No connection lives longer.
const LONGEST: Duration = Duration::from_secs(60);
/// The pause after a connection that could not be accepted, for want of file handles most of all.
const PAUSE: Duration = Duration::from_millis(100);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the numbers come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) broker: Option<Embedded>,
    pub(crate) naming: Option<NamingServer>,
    pub(crate) endpoint: Endpoint,
}

impl Source {
    async fn numbers(&self) -> Option<Numbers> {
        let mut numbers = Numbers {
            names: self.naming.as_ref().map_or(0, NamingServer::count),
            calls: self.endpoint.call_counts(),
            ..Numbers::default()
        };
        if let Some(broker) = &self.broker {
            numbers.stats = broker.stats().await.ok()?;
            numbers.workers = broker.workers().await.ok()?;
            numbers.histograms = broker.histograms().await.ok()?;
        }
        Some(numbers)
    }
}

/// Opens the door, so that an address that cannot be had is known before anything else goes on.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(addr)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Answers until `stop`.
pub(crate) async fn serve(listener: TcpListener, source: Source, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            stream = listener.accept() => stream,
        };
        let Ok((stream, _)) = stream else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let source = source.clone();
        tokio::spawn(async move {
            timeout(LONGEST, connection(stream, source)).await.ok();
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, source: Source) {
    let service = service_fn(|request| answer(request, &source));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a reader of metrics broke off");
    }
}

async fn answer(
    request: Request<Incoming>,
    source: &Source,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => page(source).await,
        (&Method::GET | &Method::HEAD, _) => plain(StatusCode::NOT_FOUND, "see /metrics\n"),
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
    };
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind)
        .header(ALLOW, "GET, HEAD")
        .body(Full::new(Bytes::from(text)));
    // Its parts are constants that make a response.
    Ok(response.unwrap_or_default())
}

async fn page(source: &Source) -> (StatusCode, &'static str, String) {
    match source.numbers().await.map(Numbers::text) {
        Some(Ok(text)) => (StatusCode::OK, OPEN_METRICS, text),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "it is ending\n"),
    }
}

fn plain(status: StatusCode, text: &str) -> (StatusCode, &'static str, String) {
    (status, "text/plain; charset=utf-8", text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        time::Duration,
    };

    use crate::node::{Node, NodeConfig};

    fn ask(addr: std::net::SocketAddr, line: &str) -> String {
        let mut stream = std::net::TcpStream::connect(addr).expect("it listens");
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        text
    }

    #[tokio::test]
    async fn numbers_are_served_where_they_were_asked_for() {
        let home = tempfile::tempdir().expect("a folder");
        let mut config = NodeConfig::at(home.path());
        config.metrics = Some(([127, 0, 0, 1], 0).into());
        let node = Node::start(&config).expect("starts");
        let addr = node.metrics_addr().expect("served");
        let page = ask(addr, "GET /metrics");
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
        assert!(
            page.contains("distro_tui_workers{state=\"idle\"}"),
            "{page}"
        );
        assert!(page.contains("application/openmetrics-text"), "{page}");
        assert!(ask(addr, "GET /").starts_with("HTTP/1.1 404"));
        assert!(ask(addr, "POST /metrics").starts_with("HTTP/1.1 405"));
        let mut second = NodeConfig::at(&home.path().join("second"));
        second.metrics = Some(addr);
        let refused = Node::start(&second).expect_err("it is taken").to_string();
        assert!(refused.contains("--metrics"), "{refused}");
        node.shutdown(Duration::ZERO).await;
    }
}
