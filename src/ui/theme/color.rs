//! A colour of a theme: 24-bit, the nearest of 256, and one of the 16 by name.

use ratatui::style::Color;
use serde::{Deserialize, Deserializer, de};

use crate::config::ColorDepth;

/// A colour, written `["#7aa2f7", "blue"]`. The name is given by hand, because the terminal decides the
/// look of its 16 colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColorDef {
    rgb: (u8, u8, u8),
    named: Color,
}

impl ColorDef {
    pub(super) fn colour(self, depth: ColorDepth) -> Option<Color> {
        let (r, g, b) = self.rgb;
        match depth {
            ColorDepth::None => None,
            ColorDepth::Ansi16 => Some(self.named),
            ColorDepth::Ansi256 => Some(Color::Indexed(nearest_index(self.rgb))),
            ColorDepth::True => Some(Color::Rgb(r, g, b)),
        }
    }
}

impl<'de> Deserialize<'de> for ColorDef {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (hex, name) = <(String, String)>::deserialize(d)?;
        let number = hex
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| de::Error::custom(format!("`{hex}` is not a colour; write #rrggbb")))?;
        let [_, r, g, b] = number.to_be_bytes();
        let named = name
            .parse()
            .map_err(|_unknown| de::Error::custom(format!("`{name}` is not a colour name")))?;
        Ok(Self {
            rgb: (r, g, b),
            named,
        })
    }
}

/// Returns the nearest colour of xterm's cube (16 to 231) and grey ramp (232 to 255).
fn nearest_index(rgb: (u8, u8, u8)) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance = |(r, g, b): (u8, u8, u8)| {
        let part = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
        part(r, rgb.0) + part(g, rgb.1) + part(b, rgb.2)
    };
    let cube = (0..216u8).map(|i| {
        let step = |n: u8| STEPS.get(usize::from(n)).copied().unwrap_or_default();
        (16 + i, (step(i / 36), step(i / 6 % 6), step(i % 6)))
    });
    let greys = (0..24u8).map(|i| (232 + i, (8 + 10 * i, 8 + 10 * i, 8 + 10 * i)));
    cube.chain(greys)
        .min_by_key(|(_, colour)| distance(*colour))
        .map_or(16, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_colours_are_found_exactly() {
        assert_eq!(nearest_index((0, 0, 0)), 16);
        assert_eq!(nearest_index((255, 255, 255)), 231);
        assert_eq!(nearest_index((95, 135, 175)), 67);
        assert_eq!(nearest_index((8, 8, 8)), 232);
    }
}
