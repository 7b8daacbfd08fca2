//! QUIC and TLS settings: the keys that are trusted, and the limits of every window, queue and wait.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt,
    crypto::rustls::{HandshakeData, NoInitialCipherSuite, QuicClientConfig, QuicServerConfig},
};
use rustls::{
    Error, client::AlwaysResolvesClientRawPublicKeys, pki_types::CertificateDer,
    server::AlwaysResolvesServerRawPublicKeys,
};

use super::tls::{AnyKeyVerifier, PinnedKeyVerifier, provider};
use crate::net::trust::{identity::Identity, key::PublicKey, role::Role};

/// The protocol's name and major version, agreed in the TLS handshake.
pub(crate) const ALPN: &[u8] = b"distro/1";
/// The same protocol for a connection that is to change nothing: its calls have the role `read`, whatever the
/// role of the key.
pub(in crate::net) const READ_ALPN: &[u8] = b"distro-read/1";
/// The protocol by which an unknown key asks to join; it allows nothing else.
pub(in crate::net) const JOIN_ALPN: &[u8] = b"distro-join/1";

/// Limit of concurrent calls on one connection; the next one waits, under its deadline.
const MAX_CALLS: u32 = 256;
/// Limit of connections that wait to be accepted; further ones are refused.
const MAX_INCOMING: usize = 1024;
/// A connection on which nothing arrives for this long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// The interval of a client's keep-alive packets. A restarted server resets connections it does not know,
/// so this is also how soon a restart is noticed.
const KEEP_ALIVE: Duration = Duration::from_millis(600);
/// The interval for a connection of a process to itself, which cannot fail alone; an idle process should
/// sleep.
const SELF_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The assumed round-trip time before one is measured. A lost first packet is sent again after three times
/// as long, and most servers are near.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Limit of bytes in flight on one stream, and on one connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Limit of bytes in flight on a connection that is not authorized yet.
const UNAUTHORIZED_WINDOW: u32 = 8 << 10;

/// A TLS setting that this build lacks; no user can cause it.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// rustls rejected the configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] Error),
    /// The crypto backend lacks QUIC's first cipher.
    #[error("QUIC cannot be set up: {0}")]
    Cipher(#[from] NoInitialCipherSuite),
}

/// The settings of both ends. By default the other side may not open a stream.
fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(CONNECTION_WINDOW.into())
        .initial_rtt(INITIAL_RTT)
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok());
    config
}

/// Returns the settings of a server. Clients that prove their key are counted in `proved`; those that
/// resume a session are not.
pub(in crate::net) fn server_config(
    identity: &Identity,
    proved: Arc<AtomicU64>,
) -> Result<ServerConfig, TlsSetupError> {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKeyVerifier::counting(proved)))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
            identity.certified_key(),
        )));
    tls.alpn_protocols = vec![ALPN.to_vec(), READ_ALPN.to_vec(), JOIN_ALPN.to_vec()];
    // No 0-RTT, because its data can be replayed.
    tls.max_early_data_size = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = transport();
    // An unauthorized client has one stream; see [`grant_stream_limits`].
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .receive_window(UNAUTHORIZED_WINDOW.into());
    config
        .transport_config(Arc::new(transport))
        .max_incoming(MAX_INCOMING);
    Ok(config)
}

/// Raises the limits of a connection to those of an authorized client. The second connection of a key has
/// half of the window of the first, the third a third, and so on: 256 of them have six windows.
pub(in crate::net) fn grant_stream_limits(connection: &quinn::Connection, number: usize) {
    let share = u32::try_from(number).unwrap_or(u32::MAX).max(1);
    let window = (CONNECTION_WINDOW / share).max(UNAUTHORIZED_WINDOW);
    connection.set_receive_window(window.into());
    connection.set_send_window(window.into());
    connection.set_max_concurrent_bi_streams(MAX_CALLS.into());
}

/// Returns the settings for a connection to a server with this key.
pub(in crate::net) fn client_config(
    identity: &Identity,
    pin: PublicKey,
    protocol: &[u8],
    to_self: bool,
) -> Result<ClientConfig, TlsSetupError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedKeyVerifier::of(pin)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            identity.certified_key(),
        )));
    tls.alpn_protocols = vec![protocol.to_vec()];
    // The name would reveal the server to eavesdroppers.
    tls.enable_sni = false;
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    let mut transport = transport();
    let keep_alive = if to_self { SELF_KEEP_ALIVE } else { KEEP_ALIVE };
    // The one stream that a server opens carries its hello.
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(1))
        .keep_alive_interval(Some(keep_alive));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// Returns endpoint settings whose secrets derive from the identity, so that a restarted server can reset
/// its old connections at once. With random secrets peers would wait for [`IDLE_TIMEOUT`].
pub(in crate::net) fn endpoint_config(identity: &Identity) -> EndpointConfig {
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

/// Returns the name under which rustls caches sessions, one per key. It is not sent.
pub(in crate::net) fn session_name(key: &PublicKey) -> String {
    format!("{key}.invalid")
}

/// Returns the key that the peer proved to hold.
pub(in crate::net) fn peer_key(connection: &quinn::Connection) -> Option<PublicKey> {
    let chain = connection.peer_identity()?;
    let chain = chain.downcast::<Vec<CertificateDer<'_>>>().ok()?;
    PublicKey::from_spki(chain.first()?)
}

/// Reports whether the client of this connection asks to join.
pub(in crate::net) fn is_joining(connection: &quinn::Connection) -> bool {
    has_protocol(connection, JOIN_ALPN)
}

/// Reports whether the client of this connection wants to change nothing.
pub(in crate::net) fn is_read_only(connection: &quinn::Connection) -> bool {
    has_protocol(connection, READ_ALPN)
}

fn has_protocol(connection: &quinn::Connection, protocol: &[u8]) -> bool {
    let data = connection.handshake_data();
    let data = data.and_then(|data| data.downcast::<HandshakeData>().ok());
    data.is_some_and(|data| data.protocol.as_deref() == Some(protocol))
}

/// Returns a secret that only the two ends of this TLS session know, another one for each role and ticket
/// (RFC 8446, section 7.5).
pub(in crate::net) fn session_secret(
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
