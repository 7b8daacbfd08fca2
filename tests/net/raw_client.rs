//! A peer that speaks QUIC and keeps to nothing else: it stops in the middle of whatever it begins.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use distro_tui::net::trust::{key::PublicKey, peer_addr::PeerAddr};
use quinn::{
    AsyncUdpSocket, ClientConfig, Connecting, Connection, Endpoint, EndpointConfig, Runtime as _,
    TokioRuntime, TransportConfig, UdpPoller, VarInt,
    crypto::rustls::QuicClientConfig,
    udp::{RecvMeta, Transmit},
};
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    sign::CertifiedKey,
};

/// The protocol of members.
pub(crate) const CALLS: &[u8] = b"distro/1";
/// The protocol of those who ask to join.
pub(crate) const JOINS: &[u8] = b"distro-join/1";

/// A key of its own and a socket of its own.
pub(crate) struct RawClient {
    pub(crate) key: PublicKey,
    endpoint: Endpoint,
    config: ClientConfig,
}

impl RawClient {
    /// A raw client whose handshakes are as they should be.
    pub(crate) fn new(protocol: &[u8]) -> Self {
        Self::with_key(protocol, &generate())
    }

    /// A raw client with the key of a key file.
    pub(crate) fn with_key(protocol: &[u8], pem: &str) -> Self {
        Self::with_socket(protocol, pem, socket())
    }

    /// A raw client that proves its address when it is asked to, and receives nothing else: its handshakes
    /// stay half open.
    pub(crate) fn half_deaf() -> Self {
        Self::with_socket(CALLS, &generate(), Arc::new(HalfDeaf(socket())))
    }

    fn with_socket(protocol: &[u8], pem: &str, socket: Arc<dyn AsyncUdpSocket>) -> Self {
        let pair = rcgen::KeyPair::from_pem(pem).expect("a key");
        let der = PrivatePkcs8KeyDer::from(pair.serialize_der());
        let signer = rustls::crypto::ring::sign::any_eddsa_type(&der).expect("a key");
        let spki = signer.public_key().expect("a key").as_ref().to_vec();
        let key = spki.last_chunk().copied().map(PublicKey::from_bytes);
        let certified = CertifiedKey::new(vec![CertificateDer::from(spki)], signer);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(
                certified,
            ))));
        tls.alpn_protocols = vec![protocol.to_vec()];
        let tls = QuicClientConfig::try_from(tls).expect("QUIC's cipher");
        let endpoint = Endpoint::new_with_abstract_socket(
            EndpointConfig::default(),
            None,
            socket,
            Arc::new(TokioRuntime),
        );
        Self {
            key: key.expect("32 bytes"),
            endpoint: endpoint.expect("a socket"),
            config: ClientConfig::new(Arc::new(tls)),
        }
    }

    /// Begins a handshake. The server may open this many streams.
    pub(crate) fn dial(&self, server: SocketAddr, streams: u32) -> Connecting {
        let mut transport = TransportConfig::default();
        transport.max_concurrent_uni_streams(VarInt::from_u32(streams));
        let mut config = self.config.clone();
        config.transport_config(Arc::new(transport));
        let dialed = self.endpoint.connect_with(config, server, "x.invalid");
        dialed.expect("a valid address")
    }

    /// Connects to a server.
    pub(crate) async fn connect(&self, server: PeerAddr) -> Connection {
        self.dial(server.addr, 1).await.expect("connects")
    }
}

fn generate() -> String {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519);
    pair.expect("random numbers").serialize_pem()
}

fn socket() -> Arc<dyn AsyncUdpSocket> {
    let socket = std::net::UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
    TokioRuntime
        .wrap_udp_socket(socket.expect("a port"))
        .expect("a runtime")
}

/// A socket that delivers only the packets by which a server asks for a proof of the address.
struct HalfDeaf(Arc<dyn AsyncUdpSocket>);

impl fmt::Debug for HalfDeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HalfDeaf")
    }
}

/// Reports whether a packet is a Retry (RFC 9000, section 17.2.5).
fn is_retry(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| first & 0xf0 == 0xf0)
}

impl AsyncUdpSocket for HalfDeaf {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.0).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.0.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = &received {
            for (buffer, meta) in bufs.iter().zip(meta).take(*count) {
                if !is_retry(buffer) {
                    // A datagram without bytes is no packet.
                    meta.len = 0;
                }
            }
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}

/// Accepts every server.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
