//! Any value from a peer: it can be displayed, converted to JSON, deserialised as any type, and encoded
//! again.
#![no_main]

use distro_tui::{
    net::{
        naming::{NamePage, NameQuery},
        rpc::wire::{decode, encode},
    },
    queue::task::NewTask,
    value::{Encoded, Value},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let written = Encoded::from_bytes(bytes.to_vec());
    written.to_typed::<NamePage>().ok();
    written.to_typed::<Vec<NewTask>>().ok();
    let straight = written.to_typed::<serde_json::Value>();
    let Ok(value) = decode::<Value>(bytes) else {
        return;
    };
    let shown = value.to_string();
    assert!(!shown.contains('\u{1b}'), "no control character is shown");
    assert!(!value.to_json().get().is_empty());
    // Decoding from the bytes gives the same as decoding by way of a value.
    let by_value = value.clone().to_typed::<serde_json::Value>();
    if let Ok(straight) = straight {
        assert_eq!(Ok(straight), by_value);
    }
    value.clone().to_typed::<NameQuery>().ok();
    value.clone().to_typed::<Vec<NewTask>>().ok();
    value.clone().to_typed::<String>().ok();
    let frame = encode(&value).expect("it came out of a frame");
    let again: Value = decode(&frame[4..]).expect("it was just written");
    // Compared as Debug text, because NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
});
