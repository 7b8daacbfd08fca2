//! Every pane, focused and zoomed.

use super::busy_after;
use crate::ui::{
    pane::Pane,
    tests::{
        fixture::{busy, draw, press, type_text},
        snapshots::{assert_shown, at_every_size},
    },
};

#[test]
fn every_pane_focused_in_a_busy_dashboard() {
    for (pane, key) in Pane::ALL.into_iter().zip(["1", "2", "3", "4", "5"]) {
        let scene = format!("busy_{}", pane.title().to_lowercase());
        at_every_size(&scene, || busy_after(&["1", key]));
    }
}

#[test]
fn every_pane_zoomed() {
    for (pane, key) in Pane::ALL.into_iter().zip(["1", "2", "3", "4", "5"]) {
        let mut model = busy();
        press(&mut model, &["z", key]);
        draw(&mut model, 80, 24);
        let buffer = draw(&mut model, 80, 24);
        assert_shown(&format!("zoom_{}", pane.title().to_lowercase()), &buffer);
    }
}

#[test]
fn typing_a_name() {
    at_every_size("greeter_typing", || {
        let mut model = busy_after(&["2"]);
        type_text(
            &mut model,
            "Zoë 漢字 and a name that is long enough to need some scrolling to the left of it",
        );
        model
    });
    at_every_size("greeter_refuses", || busy_after(&["2", "enter"]));
}
