//! QUIC and TLS settings: what is trusted, and where every window, queue and wait ends.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt,
    crypto::rustls::{HandshakeData, NoInitialCipherSuite, QuicClientConfig, QuicServerConfig},
};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use crate::net::{
    rpc::wire::{ALPN, JOIN_ALPN, Role},
    trust::{identity::Identity, key::PublicKey},
};

/// Calls under way on one connection; the next one waits, under its deadline.
pub(crate) const MAX_CALLS: u32 = 256;
/// Connections being made at once; further ones are refused.
pub(crate) const MAX_INCOMING: usize = 1024;
/// A connection on which nothing arrives for this long is given up.
pub(crate) const IDLE: Duration = Duration::from_secs(15);
/// How often a client makes itself heard. A server that crashed and came back answers that it knows
/// nothing of the connection, so this is how soon it is noticed.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(600);
/// The same to oneself: nobody crashes alone there, and a process that does nothing should sleep.
const KEEP_OWN_ALIVE: Duration = Duration::from_secs(5);
/// What a way to a server is taken to need before it is known: a lost first packet is sent again after
/// three times that, and most servers are near.
const FIRST_RTT: Duration = Duration::from_millis(100);
/// Bytes under way on one stream, and on one connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The same on a connection of somebody who is not known yet.
const STRANGER_WINDOW: u32 = 8 << 10;

/// A TLS setting that this build does not have; not something a user can cause.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// rustls refused the configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] Error),
    /// The crypto backend lacks QUIC's first cipher.
    #[error("QUIC cannot be set up: {0}")]
    Cipher(#[from] NoInitialCipherSuite),
}

/// What is the same at both ends. The other side may not open a stream, unless told otherwise.
fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(CONNECTION_WINDOW.into())
        .initial_rtt(FIRST_RTT)
        .max_idle_timeout(IdleTimeout::try_from(IDLE).ok());
    config
}

/// What this process accepts as a server. Callers who prove their key anew are counted in `proved`.
pub(crate) fn server(
    identity: &Identity,
    proved: Arc<AtomicU64>,
) -> Result<ServerConfig, SetupError> {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKeyVerifier { proved }))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
            identity.certified_key(),
        )));
    tls.alpn_protocols = vec![ALPN.to_vec(), JOIN_ALPN.to_vec()];
    // No 0-RTT: what is sent in it can be replayed.
    tls.max_early_data_size = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = transport();
    // Whoever is not known yet can say one thing. See [`grant_stream_limits`].
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .receive_window(STRANGER_WINDOW.into());
    config
        .transport_config(Arc::new(transport))
        .max_incoming(MAX_INCOMING);
    Ok(config)
}

/// Gives a client that is known now what clients have.
pub(crate) fn grant_stream_limits(connection: &quinn::Connection) {
    connection.set_receive_window(CONNECTION_WINDOW.into());
    connection.set_max_concurrent_bi_streams(MAX_CALLS.into());
}

/// How this process dials a server of which it knows the key.
pub(crate) fn client(
    identity: &Identity,
    pin: PublicKey,
    protocol: &[u8],
    to_itself: bool,
) -> Result<ClientConfig, SetupError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedKeyVerifier(pin)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            identity.certified_key(),
        )));
    tls.alpn_protocols = vec![protocol.to_vec()];
    // The name would tell onlookers who is being dialled.
    tls.enable_sni = false;
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = transport();
    let keep_alive = if to_itself {
        KEEP_OWN_ALIVE
    } else {
        KEEP_ALIVE
    };
    // The one stream that a server opens is its greeting.
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .keep_alive_interval(Some(keep_alive));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// Endpoint settings whose secrets come from the identity: a server that crashed and came back can
/// then tell its old peers so at once. With random ones they would wait for [`IDLE`].
pub(crate) fn endpoint(identity: &Identity) -> EndpointConfig {
    let reset = ring::hmac::Key::new(
        ring::hmac::HMAC_SHA256,
        &identity.derive("quic stateless reset"),
    );
    let ids = identity.derive("quic connection ids");
    let ids = ids.first_chunk().copied().map_or(0, u64::from_be_bytes);
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(ids)));
    config
}

/// The name rustls files sessions under: one for each key, so that servers never share a drawer.
/// It is not sent.
pub(crate) fn session_name(key: &PublicKey) -> String {
    format!("{key}.invalid")
}

/// The key that the other side proved to hold.
pub(crate) fn peer_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let chain = connection.peer_identity()?;
    let chain = chain.downcast::<Vec<CertificateDer<'_>>>().ok()?;
    PublicKey::from_spki(chain.first()?)
}

/// Whether the client of this connection asks to be let in.
pub(crate) fn is_joining(connection: &quinn::Connection) -> bool {
    let data = connection.handshake_data();
    let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
    data.is_some_and(|data| data.protocol.as_deref() == Some(JOIN_ALPN))
}

/// Something that only the two ends of this very TLS session know, and that is another for each role
/// and ticket (RFC 8446, section 7.5).
pub(crate) fn session_secret(
    connection: &quinn::Connection,
    role: Role,
    serial: u32,
) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let context = format!("{} {serial}", role.as_str());
    connection
        .export_keying_material(&mut out, b"EXPORTER-distro-join", context.as_bytes())
        .ok()?;
    Some(out)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    rustls::crypto::ring::default_provider().signature_verification_algorithms
}

fn verify(
    message: &[u8],
    key: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
    verify_tls13_signature_with_raw_key(message, &spki, signed, &algorithms())
}

fn tls13_only() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("only TLS 1.3 is spoken here".into()))
}

/// Accepts one server key and no other.
struct PinnedKeyVerifier(PublicKey);

/// Accepts any client that holds its key. Who may do what is decided after the handshake, on every
/// connection: a resumed session does not come by here (rustls skips the verifier).
#[derive(Debug)]
struct AnyKeyVerifier {
    proved: Arc<AtomicU64>,
}

impl fmt::Debug for PinnedKeyVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PinnedKeyVerifier({})", self.0.fingerprint())
    }
}

impl ServerCertVerifier for PinnedKeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if PublicKey::from_spki(end_entity) == Some(self.0) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls13_only()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        PublicKey::from_spki(end_entity)
            .map(|_| ClientCertVerified::assertion())
            .ok_or_else(|| CertificateError::BadEncoding.into())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls13_only()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let proved = verify(message, cert, dss)?;
        self.proved.fetch_add(1, Ordering::Relaxed);
        Ok(proved)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
