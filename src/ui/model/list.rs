//! The selection in a list that is in memory.

/// The selected row and the first visible one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) at: usize,
    pub(crate) top: usize,
    /// Visible rows in the last frame.
    pub(crate) height: usize,
}

/// A movement of the selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Motion {
    Up(usize),
    Down(usize),
    PageUp,
    PageDown,
    Top,
    Bottom,
}

impl Selection {
    pub(crate) fn move_selection(&mut self, motion: Motion, length: usize) {
        let page = self.height.saturating_sub(1).max(1);
        let last = length.saturating_sub(1);
        self.at = match motion {
            Motion::Up(n) => self.at.saturating_sub(n),
            Motion::Down(n) => self.at.saturating_add(n),
            Motion::PageUp => self.at.saturating_sub(page),
            Motion::PageDown => self.at.saturating_add(page),
            Motion::Top => 0,
            Motion::Bottom => last,
        }
        .min(last);
        self.clamp(length);
    }

    /// Brings the selected row into bounds and into view, for a list of this length.
    pub(crate) fn clamp(&mut self, length: usize) {
        let height = self.height.max(1);
        self.at = self.at.min(length.saturating_sub(1));
        self.top = self
            .top
            .min(self.at)
            .max((self.at + 1).saturating_sub(height))
            .min(length.saturating_sub(height.min(length)));
    }

    /// Returns the range of rows to draw.
    pub(crate) fn visible(&self, length: usize) -> std::ops::Range<usize> {
        let top = self.top.min(length);
        top..(top + self.height).min(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn motion() -> impl Strategy<Value = Motion> {
        prop_oneof![
            (0usize..5).prop_map(Motion::Up),
            (0usize..5).prop_map(Motion::Down),
            Just(Motion::PageUp),
            Just(Motion::PageDown),
            Just(Motion::Top),
            Just(Motion::Bottom),
        ]
    }

    proptest! {
        #[test]
        fn the_selected_row_is_always_there_and_visible(
            steps in proptest::collection::vec((motion(), 0usize..50, 1usize..20), 1..40),
        ) {
            let mut selection = Selection::default();
            for (motion, length, height) in steps {
                selection.height = height;
                selection.move_selection(motion, length);
                prop_assert!(selection.at < length.max(1));
                let visible = selection.visible(length);
                prop_assert!(length == 0 || visible.contains(&selection.at));
                prop_assert_eq!(visible.len(), height.min(length));
            }
        }
    }
}
