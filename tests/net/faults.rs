//! Peers that break the protocol on purpose, by way of a bare QUIC connection.

use distro_tui::net::{
    rpc::{
        error::Code,
        wire::{self, Call, FrameError, Reply},
    },
    trust::identity::{Identity, KEY_FILE},
};

use crate::{
    raw_client::{CALLS, RawClient},
    support::{Server, loopback},
};

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
    let me = Identity::load_or_generate(home.path()).expect("made");
    let (endpoint, addr) = loopback(&me, &[]);
    let server = Server::start(&endpoint, addr);
    let pem = std::fs::read_to_string(home.path().join(KEY_FILE)).expect("the key");
    let connection = RawClient::with_key(CALLS, &pem).connect(server.peer).await;

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
