//! The screenshot in the README: the real screen with the fixture's data, as an SVG.

use std::fmt::Write as _;

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier},
};

use super::fixture::{busy, draw, press};

const CELL: (f64, f64) = (8.4, 18.0);

fn hex(colour: Color, otherwise: &str) -> String {
    match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => otherwise.to_owned(),
    }
}

fn svg(buffer: &Buffer) -> String {
    let (w, h) = (
        f64::from(buffer.area.width) * CELL.0,
        f64::from(buffer.area.height) * CELL.1,
    );
    let mut out = String::new();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"ui-monospace,'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"14\">",
        w + 24.0,
        h + 24.0
    )
    .expect("written");
    let back = hex(buffer[(0, 0)].bg, "#16181f");
    writeln!(
        out,
        "<rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"{back}\"/>"
    )
    .expect("written");
    writeln!(out, "<g transform=\"translate(12 12)\">").expect("written");
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let cell = &buffer[(x, y)];
            // Cells of one style go together.
            let mut text = String::new();
            let start = x;
            while x < buffer.area.width && buffer[(x, y)].style() == cell.style() {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += u16::try_from(crate::text::width(symbol).max(1)).expect("small");
            }
            piece(&mut out, (start, x, y), cell, &text, &back);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn piece(
    out: &mut String,
    (start, end, y): (u16, u16, u16),
    cell: &ratatui::buffer::Cell,
    text: &str,
    back: &str,
) {
    let (x, wide) = (f64::from(start) * CELL.0, f64::from(end - start) * CELL.0);
    let top = f64::from(y) * CELL.1;
    let bg = hex(cell.bg, back);
    if bg != back {
        writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{top:.0}\" width=\"{wide:.1}\" height=\"18\" fill=\"{bg}\"/>"
        )
        .expect("written");
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if cell.modifier.contains(Modifier::BOLD) {
        " font-weight=\"600\""
    } else {
        ""
    };
    let fg = hex(cell.fg, "#c8cedd");
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.0}\" fill=\"{fg}\"{weight} textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\">{text}</text>",
        top + 13.5
    )
    .expect("written");
}

/// Run with `UPDATE_DOCS=1` to write the picture anew.
#[test]
fn the_screenshot_is_of_today_s_screen() {
    let mut model = busy();
    draw(&mut model, 160, 44);
    press(&mut model, &["3", "j", "j", "j"]);
    let picture = svg(&draw(&mut model, 160, 44));
    super::docs::check("assets/screenshot.svg", &picture);
}
