//! Whatever value a peer sends: it can be shown, turned into JSON and read as any type, and written
//! again.
#![no_main]

use distro_tui::{
    net::{
        naming::{Listing, Query},
        value::{Encoded, Value},
        wire::{decode, encode},
    },
    queue::task::NewTask,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let written = Encoded::from_bytes(bytes.to_vec());
    written.to_typed::<Listing>().ok();
    written.to_typed::<Vec<NewTask>>().ok();
    let straight = written.to_typed::<serde_json::Value>();
    let Ok(value) = decode::<Value>(bytes) else {
        return;
    };
    let shown = value.to_string();
    assert!(!shown.contains('\u{1b}'), "no control character is shown");
    assert!(!value.to_json().get().is_empty());
    // Straight from the bytes it is the same as by way of a value.
    let by_value = value.clone().to_typed::<serde_json::Value>();
    if let Ok(straight) = straight {
        assert_eq!(Ok(straight), by_value);
    }
    value.clone().to_typed::<Query>().ok();
    value.clone().to_typed::<Vec<NewTask>>().ok();
    value.clone().to_typed::<String>().ok();
    let frame = encode(&value).expect("it came out of a frame");
    let again: Value = decode(&frame[4..]).expect("it was just written");
    // Debug, because a float that is no number is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
});
