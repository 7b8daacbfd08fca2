//! The keys of a recording that is being shown. `ui/replay.rs` acts on them; they never reach a model.

use super::{Action, ActionSpec, Scope::Replay};

pub(super) const PAUSE: ActionSpec = ActionSpec {
    action: Action::ReplayPause,
    name: "replay-pause",
    keys: &[(&[Replay], &["space"])],
    hint: "pause",
    text: "pause or resume",
    is_command: false,
    ..ActionSpec::BASE
};
pub(super) const STEP: ActionSpec = ActionSpec {
    action: Action::ReplayStep,
    name: "replay-step",
    keys: &[(&[Replay], &["."])],
    hint: "step",
    text: "show the next message",
    ..PAUSE
};
pub(super) const FASTER: ActionSpec = ActionSpec {
    action: Action::ReplayFaster,
    name: "replay-faster",
    keys: &[(&[Replay], &["+", "="])],
    hint: "faster",
    text: "double the speed",
    ..PAUSE
};
pub(super) const SLOWER: ActionSpec = ActionSpec {
    action: Action::ReplaySlower,
    name: "replay-slower",
    keys: &[(&[Replay], &["-"])],
    hint: "slower",
    text: "halve the speed",
    ..PAUSE
};
pub(super) const BACK: ActionSpec = ActionSpec {
    action: Action::ReplayBack,
    name: "replay-back",
    keys: &[(&[Replay], &["left"])],
    hint: "10 s back",
    text: "go back 10 seconds",
    ..PAUSE
};
pub(super) const FORWARD: ActionSpec = ActionSpec {
    action: Action::ReplayForward,
    name: "replay-forward",
    keys: &[(&[Replay], &["right"])],
    hint: "10 s on",
    text: "go forward 10 seconds",
    ..PAUSE
};
