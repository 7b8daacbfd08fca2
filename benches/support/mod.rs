//! Shared parts of the benchmarks: rounds, medians, ratios and the table they are printed in.
//!
//! A machine is not the same from one second to the next. So every round runs every case once, for a
//! moment, and a case is compared with its reference inside that round only; what is printed is the
//! median of those ratios.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

/// The number of measured rounds, after one warm-up round.
const ROUNDS: usize = 9;

/// The duration of a time-limited case in each round.
#[allow(
    dead_code,
    reason = "each benchmark is a program of its own and some count tasks instead"
)]
pub(crate) const SPAN: Duration = Duration::from_millis(300);

/// Returns true under `cargo bench`; `cargo test --all-targets` starts the same program with no
/// arguments and only checks that it starts.
pub(crate) fn is_requested() -> bool {
    let requested = std::env::args().any(|argument| argument == "--bench");
    if !requested {
        println!("nothing measured; use cargo bench");
    }
    requested
}

/// One run of one case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// How many things were done.
    pub(crate) count: u64,
    /// How long that took.
    pub(crate) elapsed: Duration,
    /// How much processor time it cost the whole process.
    pub(crate) cpu: Duration,
}

impl Sample {
    /// Measures work that answers how many things it did.
    pub(crate) fn of(work: impl FnOnce() -> u64) -> Self {
        let (cpu, since) = (cpu_time(), Instant::now());
        let count = work();
        Self {
            count,
            elapsed: since.elapsed(),
            cpu: cpu_time().saturating_sub(cpu),
        }
    }

    /// Things done in a second.
    fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of processor time for one thing.
    fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count as f64
    }
}

/// Processor time of all living threads. The file is in nanoseconds, where the better known `stat` has
/// ticks of 10 ms; a thread that has ended is missing, so cases keep their threads.
fn cpu_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

struct Case<'a> {
    name: &'static str,
    reference: &'static str,
    run: Box<dyn FnMut() -> Sample + 'a>,
    samples: Vec<Sample>,
}

/// Cases that are measured side by side.
#[derive(Default)]
pub(crate) struct Cases<'a>(Vec<Case<'a>>);

impl<'a> Cases<'a> {
    /// Adds a case. It is compared with the case named `reference`, which may be itself.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        reference: &'static str,
        run: impl FnMut() -> Sample + 'a,
    ) {
        self.0.push(Case {
            name,
            reference,
            run: Box::new(run),
            samples: Vec::new(),
        });
    }

    /// Runs every case once in every round.
    pub(crate) fn run(mut self) -> Results {
        for round in 0..=ROUNDS {
            eprintln!(
                "round {round} of {ROUNDS}{}",
                if round == 0 { " (warm-up)" } else { "" }
            );
            for case in &mut self.0 {
                let sample = (case.run)();
                if round > 0 {
                    case.samples.push(sample);
                }
            }
        }
        let rows = self.0.into_iter().map(|case| Row {
            name: case.name,
            reference: case.reference,
            samples: case.samples,
        });
        Results(rows.collect())
    }
}

struct Row {
    name: &'static str,
    reference: &'static str,
    samples: Vec<Sample>,
}

/// What came of some [`Cases`].
pub(crate) struct Results(Vec<Row>);

impl Results {
    /// The median rate of a case, a second.
    pub(crate) fn rate(&self, name: &str) -> f64 {
        median(self.row(name).samples.iter().map(Sample::rate))
    }

    /// The median over the rounds of one case's rate by another's.
    pub(crate) fn ratio(&self, name: &str, reference: &str) -> f64 {
        self.compare(name, reference, Sample::rate)
    }

    /// The same for processor time by thing done, for the benchmarks that have a bar for it.
    #[allow(
        dead_code,
        reason = "each benchmark is a program of its own and not all ask for it"
    )]
    pub(crate) fn cpu_ratio(&self, name: &str, reference: &str) -> f64 {
        self.compare(name, reference, Sample::cpu_micros)
    }

    fn compare(&self, name: &str, reference: &str, of: fn(&Sample) -> f64) -> f64 {
        let pairs = self
            .row(name)
            .samples
            .iter()
            .zip(&self.row(reference).samples);
        median(pairs.map(|(sample, reference)| of(sample) / of(reference)))
    }

    fn row(&self, name: &str) -> &Row {
        let row = self.0.iter().find(|row| row.name == name);
        row.expect("a case that was added under this name")
    }

    /// Every case with its rate, its spread and its ratio to the case whose number stands there.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(&[
            "case",
            "#",
            "per second",
            "slowest-fastest round",
            "ratio to #",
            "µs each",
            "CPU µs each",
        ]);
        for (i, row) in self.0.iter().enumerate() {
            let rate = self.rate(row.name);
            let rates = || row.samples.iter().map(Sample::rate);
            let slowest = rates().fold(f64::INFINITY, f64::min);
            let fastest = rates().fold(0.0, f64::max);
            table.row([
                row.name.into(),
                (i + 1).to_string(),
                short(rate),
                format!("{}-{}", short(slowest), short(fastest)),
                self.referred(row),
                short(1e6 / rate),
                short(median(row.samples.iter().map(Sample::cpu_micros))),
            ]);
        }
        table
    }

    /// A case's ratio and the number of the case it is to; nothing for a reference.
    fn referred(&self, row: &Row) -> String {
        let number = self.0.iter().position(|other| other.name == row.reference);
        match number {
            Some(i) if row.name != row.reference => {
                format!(
                    "{} to {}",
                    short(self.ratio(row.name, row.reference)),
                    i + 1
                )
            }
            _ => "-".into(),
        }
    }
}

/// What is expected of a number.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    #[allow(
        dead_code,
        reason = "each benchmark is a program of its own and some have none"
    )]
    AtMost(f64),
}

/// Numbers beside what is expected of them. Some bars hold only where the benchmark says so, so one
/// that is missed is shown and ends nothing.
pub(crate) fn bars<const N: usize>(bars: [(&str, Bound, f64); N]) -> Table {
    let mut table = Table::new(&["bar", "wanted", "measured", "holds"]);
    for (what, bound, measured) in bars {
        let (wanted, holds) = match bound {
            Bound::AtLeast(least) => (format!("at least {}", short(least)), measured >= least),
            Bound::AtMost(most) => (format!("at most {}", short(most)), measured <= most),
        };
        let holds = if holds { "yes" } else { "no" };
        table.row([what.into(), wanted, short(measured), holds.into()]);
    }
    table
}

/// Three digits are what such a measurement is worth; whole numbers keep theirs.
fn short(number: f64) -> String {
    match number {
        n if n >= 100.0 => grouped(n),
        n if n >= 10.0 => format!("{n:.1}"),
        n if n >= 1.0 => format!("{n:.2}"),
        n => format!("{n:.3}"),
    }
}

/// A whole number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The middle one; of an even number, the upper of the two in the middle.
fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Rows of text: the first column is words, the others are numbers.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    fn new<const N: usize>(head: &[&str; N]) -> Self {
        Self(vec![head.iter().map(ToString::to_string).collect()])
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.into());
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }

    /// One line a row, its cells padded and put between the given words.
    fn lines(&self, before: &str, between: &str, after: &str) -> Vec<String> {
        let widths = self.widths();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate();
            let cells = cells.map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("{before}{}{after}", cells.collect::<Vec<_>>().join(between))
        };
        self.0.iter().map(line).collect()
    }

    fn plain(&self) -> String {
        let mut lines = self.lines("", "  ", "");
        let length = lines.first().map_or(0, |head| head.chars().count());
        lines.insert(1, "-".repeat(length));
        lines.join("\n")
    }

    fn markdown(&self) -> String {
        let mut lines = self.lines("| ", " | ", " |");
        let mut rule = String::from("|");
        for (column, width) in self.widths().into_iter().enumerate() {
            let (dashes, colon) = if column == 0 {
                (width + 2, "")
            } else {
                (width + 1, ":")
            };
            write!(rule, "{}{colon}|", "-".repeat(dashes)).expect("a String takes everything");
        }
        lines.insert(1, rule);
        lines.join("\n")
    }
}

/// Prints tables as text, and the same rows once more as Markdown.
pub(crate) fn print(title: &str, tables: &[Table]) {
    println!("\n{title}; medians of {ROUNDS} interleaved rounds\n");
    for table in tables {
        println!("{}\n", table.plain());
    }
    println!("As Markdown:\n");
    for table in tables {
        println!("{}\n", table.markdown());
    }
}
