//! quinn with nothing around it: the same raw keys on both ends, one stream a call, and an echo.

use std::{net::SocketAddr, sync::Arc};

use quinn::{
    ClientConfig, Connection, Endpoint, ServerConfig, TransportConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key},
    pki_types::{
        CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
    },
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use super::network::ANYWHERE;

/// What goes there and back.
pub(crate) const PAYLOAD: [u8; 32] = *b"thirty-two bytes, there and back";

/// Calls at once on a connection, as many as distro-tui allows.
const STREAMS: u32 = 256;

/// A key that both ends hold, which spares them an exchange of keys before they start.
#[allow(dead_code, reason = "not every bench needs both")]
pub(crate) fn key() -> Arc<CertifiedKey> {
    certified(&rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("random numbers"))
}

/// The same for two processes: the first one writes it, and both read it.
#[allow(dead_code, reason = "not every bench needs both")]
pub(crate) fn key_from_file(path: &std::path::Path) -> Arc<CertifiedKey> {
    if !path.exists() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("random numbers");
        std::fs::write(path, pair.serialize_pem()).expect("a folder for such things");
    }
    let pem = std::fs::read_to_string(path).expect("it is there");
    certified(&rcgen::KeyPair::from_pem(&pem).expect("a key"))
}

fn certified(pair: &rcgen::KeyPair) -> Arc<CertifiedKey> {
    let der = PrivatePkcs8KeyDer::from(pair.serialize_der());
    let signer = ring::sign::any_eddsa_type(&der).expect("a key that was just made");
    let public = signer
        .public_key()
        .expect("Ed25519 keys have a public half");
    let chain = vec![CertificateDer::from(public.as_ref().to_vec())];
    Arc::new(CertifiedKey::new(chain, signer))
}

/// Starts a server that echoes every stream, on the runtime it is called in.
pub(crate) fn serve(key: &Arc<CertifiedKey>) -> SocketAddr {
    let tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .with_client_cert_verifier(Arc::new(PinnedKeyVerifier(public(key))))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(
            Arc::clone(key),
        )));
    let crypto = QuicServerConfig::try_from(tls).expect("ring has the ciphers of QUIC");
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(transport());
    let endpoint = Endpoint::server(config, ANYWHERE).expect("a free port");
    let addr = endpoint.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                let connection = incoming.await.expect("the client speaks the same");
                while let Ok((send, recv)) = connection.accept_bi().await {
                    tokio::spawn(echo(send, recv));
                }
            });
        }
    });
    addr
}

/// Sends one stream's bytes back.
async fn echo(mut send: quinn::SendStream, mut recv: quinn::RecvStream) {
    let bytes = recv
        .read_to_end(PAYLOAD.len())
        .await
        .expect("a whole stream");
    send.write_all(&bytes)
        .await
        .expect("the client waits for it");
    send.finish().expect("not finished before");
}

/// How to dial [`serve`]; every handshake is a full one.
pub(crate) fn client(key: &Arc<CertifiedKey>) -> ClientConfig {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedKeyVerifier(public(key))))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
            Arc::clone(key),
        )));
    tls.resumption = Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).expect("ring has the ciphers of QUIC");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport());
    config
}

/// Connects from a socket of its own.
pub(crate) async fn connect(config: ClientConfig, to: SocketAddr) -> (Endpoint, Connection) {
    let endpoint = Endpoint::client(ANYWHERE).expect("a free port");
    let connecting = endpoint.connect_with(config, to, "bare.invalid");
    let connection = connecting
        .expect("a valid name")
        .await
        .expect("the server answers");
    (endpoint, connection)
}

/// One stream there and back.
pub(crate) async fn call(connection: &Connection) {
    let (mut send, mut recv) = connection.open_bi().await.expect("an open connection");
    send.write_all(&PAYLOAD).await.expect("the server reads it");
    send.finish().expect("not finished before");
    let bytes = recv
        .read_to_end(PAYLOAD.len())
        .await
        .expect("a whole stream");
    assert_eq!(bytes, PAYLOAD);
}

fn transport() -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    config.max_concurrent_bidi_streams(STREAMS.into());
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn public(key: &CertifiedKey) -> CertificateDer<'static> {
    let public = key.cert.first().expect("a raw key is a chain of one");
    public.clone()
}

/// Accepts one key, with the one signature check that a raw key needs.
#[derive(Debug)]
struct PinnedKeyVerifier(CertificateDer<'static>);

impl PinnedKeyVerifier {
    fn same(&self, other: &CertificateDer<'_>) -> Result<(), Error> {
        (self.0 == *other)
            .then_some(())
            .ok_or_else(|| Error::General("another key".into()))
    }

    fn signed(
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &algorithms)
    }

    fn too_old() -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("QUIC has no TLS 1.2".into()))
    }
}

impl ServerCertVerifier for PinnedKeyVerifier {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.same(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::signed(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for PinnedKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.same(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::signed(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
