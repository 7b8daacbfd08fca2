//! The details of a task, a worker, a name or a result, and the doctor report.

use ratatui::layout::Rect;

use crate::{
    text::wrap,
    ui::{
        details::{self, DetailRow},
        model::{
            Model,
            layer::{Details, DetailsOf},
        },
        theme::StyleRole,
        widgets::canvas::{Canvas, rows},
    },
};

/// The maximum number of lines of one text; copies and exports have all of it.
const MAX_LINES: usize = 400;

pub(crate) fn draw(canvas: &mut Canvas<'_>, screen: Rect, model: &Model, open: &Details) {
    let title = match &open.subject {
        DetailsOf::Task(task) => format!("Task {}", task.id),
        DetailsOf::Worker(id) => format!("Worker {id}"),
        DetailsOf::Doctor => "Doctor".to_owned(),
        DetailsOf::Name { record, .. } => format!("Name {}", record.name),
        DetailsOf::Result { title, .. } => title.clone(),
    };
    let keys = model.keymap.hints(open.subject.scopes());
    let wide = screen.width.min(96);
    let rows_of_text = details::rows(model, &open.subject);
    let label_width = details::label_width(&rows_of_text);
    let room = usize::from(wide).saturating_sub(4 + label_width).max(1);
    let lines: Vec<DetailRow> = rows_of_text
        .into_iter()
        .flat_map(|(label, text, role)| {
            let mut label = Some(label);
            wrap(&text, room, MAX_LINES)
                .into_iter()
                .map(move |line| (label.take().unwrap_or_default(), line, role))
        })
        .collect();
    let high = u16::try_from(lines.len() + 2)
        .unwrap_or(u16::MAX)
        .clamp(5, screen.height.max(5));
    let inner = canvas.popup(screen, (wide, high), &title, &keys);
    let shown = usize::from(inner.height);
    let top = open.scroll.min(lines.len().saturating_sub(shown));
    for (area, (label, text, role)) in rows(inner).zip(lines.iter().skip(top)) {
        let label = format!("{label:<label_width$}");
        canvas.spans(area, &[(&label, StyleRole::Dim), (text, *role)]);
    }
    let edge = Rect {
        width: inner.width + 2,
        ..inner
    };
    canvas.scrollbar(edge, top, shown, lines.len());
}
