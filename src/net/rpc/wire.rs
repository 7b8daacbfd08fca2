//! Frames, protocol `distro/1`: a `u32` big-endian length, then that many bytes of postcard.
//!
//! ```text
//! call stream  →  Call            FIN
//!              ←  Reply           FIN      (a stream of replies for `watch`)
//! hello        ←  Hello           FIN      one-way stream, once the server has authorized the client
//!
//! join stream  →  JoinRequest     FIN      protocol `distro-join/1`, for unknown keys; see `join`
//!              ←  Reply           FIN
//! ```
//!
//! postcard writes positions, not names: fields and variants are append-only within a version, and the
//! tests hold the bytes of every message. A new major version is a new ALPN.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::error::RemoteError;
use crate::{
    net::trust::role::Role,
    value::{Encoded, Value},
};

/// Limit of a frame in either direction, in bytes.
pub const MAX_FRAME: usize = 1 << 20;

/// The memory reserved for a frame before its bytes arrive.
const INITIAL_READ: usize = 8 << 10;

/// The memory reserved for a frame before it is encoded.
const INITIAL_WRITE: usize = 256;

/// A request to run a method of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The object's name at its server.
    pub object: String,
    /// The method's name.
    pub method: String,
    /// The caller's deadline in milliseconds from now: relative, because clocks differ.
    pub deadline_ms: u32,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Vec<(String, Value)>,
}

/// One reply to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// The method's result, or the next item of a stream.
    Ok(Value),
    /// The call was refused, or it failed.
    Err(RemoteError),
}

/// The server's first message. Only with it a client knows that it is authorized, because in TLS 1.3 the
/// client completes the handshake before the server has checked its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The client's role.
    pub role: Role,
    /// The server's software version, for people.
    pub version: String,
}

/// A frame that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLarge(usize),
    /// The bytes do not decode as the expected message.
    #[error("a frame is malformed: {0}")]
    Malformed(#[source] postcard::Error),
    /// The stream ended inside a frame or broke.
    #[error("the stream broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Encodes a message with its length before it.
///
/// # Errors
/// [`FrameError::TooLarge`] when it is over [`MAX_FRAME`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    // Most frames fit; growing from four bytes would reallocate five times.
    let mut head = Vec::with_capacity(INITIAL_WRITE);
    head.extend_from_slice(&[0; 4]);
    let frame = postcard::to_extend(message, head).map_err(FrameError::Malformed)?;
    with_length(frame)
}

/// Writes the length into the first four bytes of a frame.
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

/// Encodes [`Reply::Ok`] with a value that is encoded already.
///
/// # Errors
/// [`FrameError::TooLarge`] when it is over [`MAX_FRAME`].
pub(super) fn encode_result(value: Encoded) -> Result<Vec<u8>, FrameError> {
    // The room before the value holds the length and the variant's number, 0.
    with_length(value.into_bytes_with_headroom())
}

/// Encodes a [`Call`] whose positional arguments are a tuple that is encoded already.
///
/// # Errors
/// [`FrameError::TooLarge`] when it is over [`MAX_FRAME`].
pub(super) fn encode_call(
    object: &str,
    method: &str,
    deadline_ms: u32,
    args: &Encoded,
) -> Result<Vec<u8>, FrameError> {
    let mut frame = Vec::with_capacity(INITIAL_WRITE);
    frame.extend_from_slice(&[0; 4]);
    // postcard concatenates fields: a struct and a tuple of its fields have the same bytes.
    frame = postcard::to_extend(&(object, method, deadline_ms), frame)
        .map_err(FrameError::Malformed)?;
    frame.extend_from_slice(args.items().unwrap_or(NO_ITEMS));
    // No arguments by name.
    frame.extend_from_slice(NO_ITEMS);
    with_length(frame)
}

/// The encoding of an empty sequence.
const NO_ITEMS: &[u8] = &[0];

/// Reads a [`Reply`] without decoding its value; `None` when the stream ended cleanly before it.
///
/// # Errors
/// As [`read`].
pub(super) async fn read_reply(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<Result<Encoded, RemoteError>>, FrameError> {
    let Some(body) = read_frame(stream).await? else {
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
/// Any [`FrameError`]. The memory reserved grows with the bytes that arrive, never with the length that a
/// peer announces.
pub async fn read<T: DeserializeOwned>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<T>, FrameError> {
    match read_frame(stream).await? {
        Some(body) => decode(&body).map(Some),
        None => Ok(None),
    }
}

async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, FrameError> {
    match read_length(stream).await? {
        Some(length) => read_body(stream, length).await.map(Some),
        None => Ok(None),
    }
}

/// Reads the length of a frame; `None` when the stream ended cleanly before it.
///
/// # Errors
/// [`FrameError::TooLarge`] or [`FrameError::Io`].
pub(super) async fn read_length(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<usize>, FrameError> {
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
    match length <= MAX_FRAME {
        true => Ok(Some(length)),
        false => Err(FrameError::TooLarge(length)),
    }
}

/// Reads the body of a frame.
///
/// # Errors
/// [`FrameError::Io`].
pub(super) async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Vec<u8>, FrameError> {
    let mut body = vec![0; length.min(INITIAL_READ)];
    stream.read_exact(&mut body).await?;
    while body.len() < length {
        let have = body.len();
        body.resize(length.min(2 * have), 0);
        stream.read_exact(&mut body[have..]).await?;
    }
    Ok(body)
}

/// Reads the end of a stream after its only frame, if it has arrived. quinn tells the peer to stop sending
/// when a stream is dropped whose end was not read, even if it has arrived: one more QUIC frame in each
/// direction for every call. Bytes that arrive instead of the end are lost.
pub(super) fn consume_fin(stream: &mut quinn::RecvStream) -> bool {
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

    /// The bytes that peers of every build of `distro/1` send. A change here is a change of the protocol.
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
        let result = encode_result(Encoded::from_typed("Hi").expect("text")).expect("small");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&result),
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
            Code::QuotaExceeded,
        ];
        for (position, code) in codes.iter().enumerate() {
            assert_eq!(hex(code), format!("00000001{position:02x}"));
        }
        for (position, role) in [Role::Read, Role::Member, Role::Admin].iter().enumerate() {
            assert_eq!(hex(role), format!("00000001{position:02x}"));
        }
    }

    #[test]
    fn encoded_arguments_make_the_same_frame() {
        let call = Call {
            object: "naming".into(),
            method: "renew".into(),
            deadline_ms: 5000,
            args: vec!["server".into(), Value::Int(7)],
            kwargs: vec![],
        };
        let args = Encoded::from_typed(&("server", 7)).expect("encodes");
        let frame = encode_call("naming", "renew", 5000, &args).expect("small");
        assert_eq!(frame, encode(&call).expect("small"));
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
