//! Drawing: from the model to the cells of a frame. A pure function.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    layout::{self, Regions},
    model::Model,
    overlay, panes,
    theme::StyleRole,
    widgets::canvas::Canvas,
};

/// The positions in a drawn frame.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    pub(crate) regions: Regions,
    pub(crate) cursor: Option<(u16, u16)>,
}

/// Draws the whole screen.
pub(crate) fn draw(buffer: &mut Buffer, area: Rect, model: &Model) -> Drawn {
    let mut canvas = Canvas {
        buffer,
        theme: &model.theme,
        cursor: None,
    };
    canvas.fill(area, StyleRole::Text);
    let workers = model.data().overview.workers.len();
    let Some(plan) = layout::plan(area, model.focus, model.zoomed, workers) else {
        too_small(&mut canvas, area);
        return Drawn::default();
    };
    let mut regions = Regions {
        panes: plan.panes.clone(),
        ..Regions::default()
    };
    panes::status_bar::draw(&mut canvas, &plan, model, &mut regions);
    for (pane, area) in &plan.panes {
        panes::draw(*pane, &mut canvas, *area, model, &mut regions);
    }
    panes::footer::draw(&mut canvas, plan.footer, model, &mut regions);
    overlay::draw(&mut canvas, area, model);
    overlay::toasts::draw(&mut canvas, area, model);
    Drawn {
        regions,
        cursor: canvas.cursor,
    }
}

fn too_small(canvas: &mut Canvas<'_>, area: Rect) {
    let (width, height) = layout::MIN_SIZE;
    let lines = [
        "too small".to_owned(),
        format!("{}x{}", area.width, area.height),
        format!("need {width}x{height}"),
    ];
    let style = canvas.fg(StyleRole::Text);
    let top = area.height.saturating_sub(3) / 2;
    for (y, line) in (area.y + top..area.bottom()).zip(&lines) {
        let wide = u16::try_from(line.len()).unwrap_or(area.width);
        let x = area.x + area.width.saturating_sub(wide) / 2;
        canvas.write(x, y, area.width, line, style);
    }
}
