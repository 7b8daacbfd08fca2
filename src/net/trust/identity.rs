//! The key pair of this process: generated at the first start, stored in one file, shown to every peer.
//!
//! Both ends of a connection present their key as a raw public key (RFC 7250) and prove that they
//! hold it. There is no certificate, no host name and no expiry to get wrong.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::hmac;
use rustls::{pki_types::PrivatePkcs8KeyDer, sign::CertifiedKey};

use super::{key::PublicKey, role::Role, ticket::Secret};
use crate::files::{self, ReadError};

/// The name of the key file in the data directory.
pub const KEY_FILE: &str = "identity.pem";

/// Limit of the key file's size, in bytes.
const MAX_KEY_FILE: u64 = 8 << 10;

/// A key pair and the secrets derived from it.
#[derive(Clone)]
pub struct Identity {
    public: PublicKey,
    certified_key: Arc<CertifiedKey>,
    secret: Arc<hmac::Key>,
}

/// An identity that cannot be loaded or generated.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key file can be read or written by others, so the key may have been taken.
    #[error(
        "{path} can be read or changed by other users (mode {mode:04o}); \
         if nobody else had it, run: chmod 600 {path}"
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file cannot be read or created.
    #[error("cannot {verb} the key file {path}: {error}")]
    File {
        /// The operation that failed.
        verb: &'static str,
        /// The key file or its folder.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The key file holds no Ed25519 key.
    #[error(
        "{path} holds no usable Ed25519 key ({error}); \
         move it away, and a new key is generated at the next start"
    )]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// The reason.
        #[source]
        error: KeyError,
    },
    /// The key cannot be generated.
    #[error("cannot generate a key: {0}")]
    Generate(#[from] KeyError),
}

/// A key that cannot be generated or parsed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The PEM text holds no key, or the system has no random numbers.
    #[error(transparent)]
    Pem(#[from] rcgen::Error),
    /// The TLS library does not accept the key.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// The key is of another kind.
    #[error("the key is not Ed25519")]
    Algorithm,
}

impl Identity {
    /// Loads the key from `folder`, or generates one there at the first start.
    ///
    /// The folder is created with mode 0700 and the file with mode 0600; an existing file that others can
    /// read is rejected.
    ///
    /// # Errors
    /// [`IdentityError`], which names the file and the remedy.
    pub fn load_or_generate(folder: &Path) -> Result<Self, IdentityError> {
        let path = folder.join(KEY_FILE);
        match read_private(&path)? {
            Some(pem) => {
                Self::from_pem(&pem).map_err(|error| IdentityError::Unreadable { path, error })
            }
            None => {
                let pem = generate_pem()?;
                match create(folder, &path, &pem) {
                    // Another process of the same user was first: its key is ours too.
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                        Self::load_or_generate(folder)
                    }
                    Err(error) => Err(IdentityError::File {
                        verb: "create",
                        path,
                        error,
                    }),
                    Ok(()) => Ok(Self::from_pem(&pem)?),
                }
            }
        }
    }

    /// Generates a key that is not stored, for tests and short-lived clients.
    ///
    /// # Errors
    /// [`IdentityError::Generate`] when the system has no random numbers.
    pub fn ephemeral() -> Result<Self, IdentityError> {
        Ok(Self::from_pem(&generate_pem()?)?)
    }

    fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let pair = rcgen::KeyPair::from_pem(pem)?;
        let der = pair.serialize_der();
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &der);
        let signer = rustls::crypto::ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der))?;
        let spki = signer.public_key().ok_or(KeyError::Algorithm)?;
        let public = PublicKey::from_spki(spki.as_ref()).ok_or(KeyError::Algorithm)?;
        let chain = vec![spki.as_ref().to_vec().into()];
        Ok(Self {
            public,
            certified_key: Arc::new(CertifiedKey::new(chain, signer)),
            secret: Arc::new(secret),
        })
    }

    /// Returns the public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Returns the key pair as TLS presents it.
    pub(in crate::net) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified_key)
    }

    /// Derives the secret of a ticket. It is not stored, because the key can derive it again.
    pub(in crate::net) fn ticket_secret(&self, role: Role, serial: u32) -> Secret {
        let material = self.derive(&format!("join ticket {} {serial}", role.as_str()));
        Secret(material.first_chunk().copied().unwrap_or_default())
    }

    /// Derives key material for one purpose: the same at every start, unrelated to that of any other
    /// purpose.
    pub(in crate::net) fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(hmac::sign(&self.secret, purpose.as_bytes()).as_ref());
        out
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.public.fingerprint())
    }
}

fn generate_pem() -> Result<String, KeyError> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
    Ok(pair.serialize_pem())
}

/// Returns the file's text, or `None` if there is no file.
fn read_private(path: &Path) -> Result<Option<String>, IdentityError> {
    let path = path.to_owned();
    files::read(&path, MAX_KEY_FILE).map_err(|error| match error {
        ReadError::Exposed { mode } => IdentityError::Exposed { path, mode },
        ReadError::Io(error) => IdentityError::File {
            verb: "read",
            path,
            error,
        },
    })
}

/// Writes the key whole or not at all, so that neither a crash nor a second process leaves half a key.
fn create(folder: &Path, path: &Path, pem: &str) -> io::Result<()> {
    files::create_folder(folder)?;
    files::create_whole(path, pem.as_bytes())
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("data");
        let first = Identity::load_or_generate(&folder).expect("made");
        let again = Identity::load_or_generate(&folder).expect("read");
        assert_eq!(first.public(), again.public());
        assert_eq!(first.derive("x"), again.derive("x"));
        assert_ne!(first.derive("x"), first.derive("y"));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder.join(KEY_FILE)), 0o600);
        assert_eq!(mode(&folder), 0o700);
        let files = fs::read_dir(&folder).expect("listed").count();
        assert_eq!(files, 1, "nothing is left beside the key");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        Identity::load_or_generate(home.path()).expect("made");
        let path = home.path().join(KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        let error = Identity::load_or_generate(home.path()).expect_err("refused");
        assert!(matches!(error, IdentityError::Exposed { mode: 0o644, .. }));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_key_is_not_overwritten() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join(KEY_FILE);
        fs::write(&path, "hello").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let error = Identity::load_or_generate(home.path()).expect_err("refused");
        assert!(matches!(error, IdentityError::Unreadable { .. }));
        assert_eq!(fs::read_to_string(&path).expect("still there"), "hello");
    }
}
