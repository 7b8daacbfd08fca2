//! Frames, protocol `distro/1`: a `u32` big-endian length, then that many bytes of postcard.
//!
//! ```text
//! call stream  →  Call            FIN
//!              ←  Reply           FIN      (a stream of replies for `watch`)
//! hello        ←  Hello           FIN      one-way stream, once the server has admitted the client
//!
//! join stream  →  Join            FIN      protocol `distro-join/1`, for keys that are not known yet
//!              ←  Reply           FIN
//! ```
//!
//! postcard writes positions, not names: fields and variants are append-only within a version, and
//! the golden bytes in the tests hold every message still. A new major version is a new ALPN.

use std::{fmt, str::FromStr};

use futures_util::FutureExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::error::RemoteError;
use crate::value::{Encoded, Value};

/// The protocol's name and major version, agreed in the TLS handshake.
pub const ALPN: &[u8] = b"distro/1";

/// The protocol by which an unknown key asks to be let in; it can ask for nothing else.
pub const JOIN_ALPN: &[u8] = b"distro-join/1";

/// The largest frame either side sends or reads, in bytes.
pub const MAX_FRAME: usize = 1 << 20;

/// How much is set aside for a frame before its bytes arrive.
const FIRST_READ: usize = 8 << 10;

/// How much is set aside for a frame before it is written.
const FIRST_WRITE: usize = 256;

/// Ask an object to run a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The object's name at its server.
    pub object: String,
    /// The method's name.
    pub method: String,
    /// How long the caller waits, in milliseconds from now: relative, because clocks differ.
    pub deadline_ms: u32,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Vec<(String, Value)>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The method's result, or the next item of a stream.
    Ok(Value),
    /// It did not run, or it failed.
    Err(RemoteError),
}

/// What a client may do. Append-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// Look up, list, watch and call.
    Read,
    /// Also register, renew and remove its own names.
    Member,
    /// Also remove the names of others.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Member, Self::Admin];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not one of read, member, admin"))
    }
}

/// Asks to be let in with a ticket. The proof is of the ticket's secret and this very TLS session, so
/// that it is worth nothing to anybody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The ticket's number.
    pub serial: u32,
    /// As what.
    pub role: Role,
    /// What the client calls itself, for people.
    pub label: String,
    /// The proof.
    pub proof: [u8; 32],
}

/// The server's first word: without it a connection is not known to be admitted, because in TLS 1.3
/// the client is done before the server has looked at its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// What this client may do here.
    pub role: Role,
    /// The server's software version, for people.
    pub version: String,
}

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLarge(usize),
    /// The bytes are not what was expected.
    #[error("a frame is not readable: {0}")]
    Malformed(postcard::Error),
    /// The stream ended inside a frame or broke.
    #[error("the stream broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Encodes a message with its length in front.
///
/// # Errors
/// [`FrameError::TooLarge`] when it is over [`MAX_FRAME`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    // Most frames fit; growing from four bytes would move each of them five times.
    let mut head = Vec::with_capacity(FIRST_WRITE);
    head.extend_from_slice(&[0; 4]);
    let frame = postcard::to_extend(message, head).map_err(FrameError::Malformed)?;
    with_length(frame)
}

/// Puts its length into the first four bytes of a frame.
fn with_length(mut frame: Vec<u8>) -> Result<Vec<u8>, FrameError> {
    let length = frame.len() - 4;
    match u32::try_from(length) {
        Ok(n) if length <= MAX_FRAME => {
            if let Some(head) = frame.first_chunk_mut() {
                *head = n.to_be_bytes();
            }
            Ok(frame)
        }
        _ => Err(FrameError::TooLarge(length)),
    }
}

/// The frame of an answer, which is [`Reply::Ok`] with this value.
///
/// # Errors
/// [`FrameError::TooLarge`] when it is over [`MAX_FRAME`].
pub(crate) fn answer(value: Encoded) -> Result<Vec<u8>, FrameError> {
    // The room before it is for the length, and for the number of the variant: 0.
    with_length(value.with_headroom())
}

/// Reads what [`answer`] has written, or a refusal; `None` when the stream ended cleanly before it.
///
/// # Errors
/// As [`read`].
pub(crate) async fn read_reply(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<Result<Encoded, RemoteError>>, FrameError> {
    let Some(body) = read_body(stream).await? else {
        return Ok(None);
    };
    match body.first() {
        Some(0) => Ok(Some(Ok(Encoded::received(body, 1)))),
        _ => match decode(&body)? {
            Reply::Err(error) => Ok(Some(Err(error))),
            Reply::Ok(value) => Ok(Some(Ok(Encoded::from(&value)))),
        },
    }
}

/// Decodes the body of a frame. Bytes left over are an error: both sides would disagree on where the
/// message ends.
///
/// # Errors
/// [`FrameError::Malformed`].
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    let (message, rest) = postcard::take_from_bytes(body).map_err(FrameError::Malformed)?;
    match rest {
        [] => Ok(message),
        _ => Err(FrameError::Malformed(postcard::Error::SerdeDeCustom)),
    }
}

/// Reads one frame; `None` when the stream ended cleanly before it.
///
/// # Errors
/// Any [`FrameError`]. What is set aside grows with the bytes that really came, never with the
/// length that a peer announced.
pub async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, FrameError> {
    match read_body(stream).await? {
        Some(body) => decode(&body).map(Some),
        None => Ok(None),
    }
}

async fn read_body(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, FrameError> {
    let mut head = [0; 4];
    let mut have = 0;
    while have < head.len() {
        match stream.read(&mut head[have..]).await? {
            0 if have == 0 => return Ok(None),
            0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            n => have += n,
        }
    }
    let length = u32::from_be_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(FrameError::TooLarge(length));
    }
    let mut body = vec![0; length.min(FIRST_READ)];
    stream.read_exact(&mut body).await?;
    while body.len() < length {
        let have = body.len();
        body.resize(length.min(2 * have), 0);
        stream.read_exact(&mut body[have..]).await?;
    }
    Ok(Some(body))
}

/// Reads the end of a stream behind its only frame, if it has come. quinn tells the peer to stop
/// sending when a stream is dropped whose end was not read, even when the end is there: one more frame
/// in each direction for every call. Bytes that come instead of the end are lost.
pub(crate) fn consume_fin(stream: &mut quinn::RecvStream) -> bool {
    matches!(stream.read(&mut [0]).now_or_never(), Some(Ok(None)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::rpc::error::Code;

    fn hex<T: Serialize>(message: &T) -> String {
        data_encoding::HEXLOWER.encode(&encode(message).expect("small"))
    }

    async fn read_back<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, FrameError> {
        let mut stream = bytes;
        read(&mut stream).await
    }

    /// What peers of every build of `distro/1` send. A change here is a change of the protocol.
    #[test]
    fn golden_bytes() {
        let call = Call {
            object: "server".into(),
            method: "welcomeMessage".into(),
            deadline_ms: 5000,
            args: vec!["Ali".into()],
            kwargs: vec![("loud".into(), Value::Bool(false))],
        };
        assert_eq!(
            hex(&call),
            "0000002606736572766572\
             0e77656c636f6d654d657373616765\
             8827\
             010503416c69\
             01046c6f75640100"
        );
        assert_eq!(
            hex(&Reply::Ok("Hi".into())),
            "000000050005024869".to_owned()
        );
        let answered = answer(Encoded::from_typed("Hi").expect("text")).expect("small");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&answered),
            "000000050005024869"
        );
        assert_eq!(
            hex(&Reply::Err(RemoteError::new(Code::UnknownMethod, "no"))),
            "000000060103026e6f00"
        );
        let hello = Hello {
            role: Role::Admin,
            version: "0.1".into(),
        };
        assert_eq!(hex(&hello), "000000050203302e31");
        let codes = [
            Code::NotFound,
            Code::Exists,
            Code::Denied,
            Code::UnknownMethod,
            Code::BadArguments,
            Code::Overloaded,
            Code::Internal,
            Code::Malformed,
            Code::Expired,
        ];
        for (position, code) in codes.iter().enumerate() {
            assert_eq!(hex(code), format!("00000001{position:02x}"));
        }
        for (position, role) in [Role::Read, Role::Member, Role::Admin].iter().enumerate() {
            assert_eq!(hex(role), format!("00000001{position:02x}"));
        }
    }

    #[tokio::test]
    async fn a_frame_over_the_limit_is_refused_by_both_sides() {
        let large = Reply::Ok(Value::Bytes(vec![0; MAX_FRAME]));
        assert!(matches!(encode(&large), Err(FrameError::TooLarge(_))));
        let announced = u32::MAX.to_be_bytes();
        assert!(matches!(
            read_back::<Reply>(&announced).await,
            Err(FrameError::TooLarge(_))
        ));
    }

    #[tokio::test]
    async fn a_cut_frame_is_an_error_and_a_clean_end_is_none() {
        let whole = encode(&Reply::Ok(Value::Null)).expect("small");
        assert!(matches!(read_back::<Reply>(&[]).await, Ok(None)));
        for cut in 1..whole.len() {
            let part = whole.get(..cut).expect("shorter");
            assert!(read_back::<Reply>(part).await.is_err(), "cut at {cut}");
        }
        assert!(matches!(read_back::<Reply>(&whole).await, Ok(Some(_))));
    }

    #[test]
    fn bytes_left_over_are_refused() {
        assert!(decode::<Reply>(&[0, 0, 9]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Call>(&bytes);
            let _ = decode::<Reply>(&bytes);
            let _ = decode::<Hello>(&bytes);
        }

        #[test]
        fn no_stream_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read_back::<Call>(&bytes).now_or_never().expect("bytes are all there").ok();
        }

        #[test]
        fn calls_come_back(object in ".{0,20}", method in ".{0,20}", deadline_ms: u32) {
            let call = Call { object, method, deadline_ms, args: vec![Value::Null], kwargs: vec![] };
            let frame = encode(&call).expect("small");
            let body = frame.get(4..).expect("a head");
            prop_assert_eq!(decode::<Call>(body).expect("decodes"), call);
        }
    }
}
