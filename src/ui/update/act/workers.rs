//! On workers.

use crate::ui::{
    effect::Effect,
    model::{Model, events::Tone},
    update::toast,
};

/// The next key counts from here, not from what the broker says in its next answer.
pub(super) fn scale_to(model: &mut Model, workers: usize) -> Vec<Effect> {
    model.live_mut().overview.wanted = workers;
    vec![Effect::Scale(workers)]
}

pub(super) fn scale(model: &mut Model, argument: Option<&str>) -> Vec<Effect> {
    match argument.map(str::parse::<usize>) {
        Some(Ok(n)) if n > 0 => scale_to(model, n),
        _ => {
            toast(
                model,
                Tone::Warn,
                "scale takes a number of workers, for example scale 4",
            );
            vec![]
        }
    }
}
