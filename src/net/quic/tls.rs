//! TLS 1.3 with raw Ed25519 public keys (RFC 7250): the verifiers of both ends.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::verify_tls13_signature_with_raw_key,
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use crate::net::trust::key::PublicKey;

/// Returns the cryptography of every connection.
pub(super) fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Verifies that the peer holds the key that it presented.
fn verify_signature(
    message: &[u8],
    key: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let spki = SubjectPublicKeyInfoDer::from(key.as_ref());
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    verify_tls13_signature_with_raw_key(message, &spki, signed, &algorithms)
}

/// The part that rustls asks of the verifiers of both ends alike, in two traits. The argument is called
/// with each proof that is valid.
macro_rules! verify_raw_keys {
    ($proved:expr) => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::General("only TLS 1.3 is supported".into()))
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            key: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let valid = verify_signature(message, key, signed)?;
            $proved(self);
            Ok(valid)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

/// Accepts one server key only.
pub(super) struct PinnedKeyVerifier(PublicKey);

impl PinnedKeyVerifier {
    /// Creates a verifier that accepts this key.
    pub(super) const fn of(key: PublicKey) -> Self {
        Self(key)
    }
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

    verify_raw_keys!(|_: &Self| {});
}

/// Accepts any client that proves its key, and counts the proofs. Authorization follows after the
/// handshake, on every connection, because rustls skips the verifier for resumed sessions.
#[derive(Debug)]
pub(super) struct AnyKeyVerifier {
    proved: Arc<AtomicU64>,
}

impl AnyKeyVerifier {
    /// Creates a verifier that adds its proofs to a counter.
    pub(super) const fn counting(proved: Arc<AtomicU64>) -> Self {
        Self { proved }
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

    verify_raw_keys!(|verifier: &Self| {
        verifier.proved.fetch_add(1, Ordering::Relaxed);
    });
}
