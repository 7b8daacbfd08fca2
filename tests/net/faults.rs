//! Peers that break the protocol on purpose, by way of a bare QUIC connection.

use std::sync::Arc;

use distro_tui::net::rpc::{
    error::Code,
    wire::{self, Call, FrameError, Reply},
};
use rustls::pki_types::CertificateDer;

use crate::support::{Server, loopback};

/// A client with full control of its streams, made of quinn and rustls only.
async fn bare_connection(server: &Server, folder: &std::path::Path) -> quinn::Connection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let pem = std::fs::read_to_string(folder.join("identity.pem")).expect("the key");
    let pair = rcgen::KeyPair::from_pem(&pem).expect("a key");
    let signer = rustls::crypto::ring::sign::any_eddsa_type(
        &rustls::pki_types::PrivatePkcs8KeyDer::from(pair.serialize_der()),
    )
    .expect("Ed25519");
    let spki = CertificateDer::from(signer.public_key().expect("public").as_ref().to_vec());
    let key = Arc::new(rustls::sign::CertifiedKey::new(vec![spki], signer));
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust::Anybody))
        .with_client_cert_resolver(Arc::new(
            rustls::client::AlwaysResolvesClientRawPublicKeys::new(key),
        ));
    tls.alpn_protocols = vec![b"distro/1".to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).expect("a cipher");
    let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a port");
    endpoint
        .connect_with(
            quinn::ClientConfig::new(Arc::new(tls)),
            server.peer.addr,
            "x.invalid",
        )
        .expect("dials")
        .await
        .expect("connects")
}

async fn send_frame(
    connection: &quinn::Connection,
    bytes: &[u8],
) -> Result<Option<Reply>, FrameError> {
    let (mut send, mut recv) = connection.open_bi().await.expect("a stream");
    send.write_all(bytes).await.expect("written");
    send.finish().expect("finished");
    wire::read(&mut recv).await
}

#[tokio::test]
async fn a_broken_frame_fails_its_own_stream_and_nothing_else() {
    let home = tempfile::tempdir().expect("a folder");
    let me =
        distro_tui::net::trust::identity::Identity::load_or_generate(home.path()).expect("made");
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let connection = bare_connection(&server, home.path()).await;

    let too_large = u32::MAX.to_be_bytes();
    let garbage = [0, 0, 0, 3, 255, 255, 255];
    for bytes in [&too_large[..], &garbage[..]] {
        match send_frame(&connection, bytes).await {
            Ok(Some(Reply::Err(error))) => assert_eq!(error.code, Code::Malformed),
            other => panic!("{other:?}"),
        }
    }
    // A stream that is reset in the middle of its frame, and one that says nothing at all.
    let (mut send, _recv) = connection.open_bi().await.expect("a stream");
    send.write_all(&[0, 0, 1]).await.expect("written");
    send.reset(7u32.into()).expect("reset");
    assert!(
        send_frame(&connection, &[]).await.is_err(),
        "nothing was asked"
    );

    // A slow peer, one byte and then silence, blocks no other stream.
    let (mut slow, _slow_recv) = connection.open_bi().await.expect("a stream");
    slow.write_all(&[0]).await.expect("written");
    let call = Call {
        object: "server".into(),
        method: "welcomeMessage".into(),
        deadline_ms: 5_000,
        args: vec!["Ali".into()],
        kwargs: vec![],
    };
    let frame = wire::encode(&call).expect("small");
    let greeting = send_frame(&connection, &frame).await.expect("answered");
    assert_eq!(greeting, Some(Reply::Ok("Hi welcome Ali".into())));
}

/// A verifier for this test's client that accepts any server key.
mod trust {
    use rustls::{
        DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        pki_types::{CertificateDer, ServerName, UnixTime},
    };

    #[derive(Debug)]
    pub(crate) struct Anybody;

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
}
