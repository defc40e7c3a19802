//! The link between runner and agent in figures: `cargo bench -p host-runner-tests --bench link`.
//!
//! `--part injection` counts results that come out wrong when others write to the console or bytes are damaged, beside
//! LAVA's text signals; `goodput` says what a line that loses bytes still carries; both are calculated, in virtual time.
//! `line` and `pipes` measure a real agent and the runner's own end of the link, over pseudo-terminals as slow as a serial
//! line and over pipes; `group` how soon members are released from `lava-sync`.

mod agent;
mod goodput;
mod group;
mod injection;
mod lava;
mod line;

use std::io;

use clap::Parser as _;

/// Measures the link.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Only this part
    #[arg(long)]
    part: Option<Part>,
    /// Speeds of serial lines, in bits per second
    #[arg(long, value_delimiter = ',', default_value = "9600,115200,1500000")]
    baud: Vec<u32>,
    /// How many seconds of a line's bytes are printed
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Results lost, doubled and wrong, beside text signals.
    Injection,
    /// Output over a line that loses bytes.
    Goodput,
    /// A real agent on a line as slow as a serial one.
    Line,
    /// A real agent on pipes.
    Pipes,
    /// Members at a barrier.
    Group,
}

#[tokio::main]
async fn main() -> Result<(), agent::Error> {
    let options = Options::parse();
    let mut out = io::stdout();
    let wants = |part| options.part.is_none_or(|only| only == part);
    if wants(Part::Injection) {
        injection::measure(&mut out)?;
    }
    if wants(Part::Goodput) {
        goodput::measure(&mut out)?;
    }
    if wants(Part::Line) {
        line::measure(&mut out, &options.baud, options.seconds).await?;
    }
    if wants(Part::Pipes) {
        line::measure_pipes(&mut out).await?;
    }
    if wants(Part::Group) {
        group::measure(&mut out).await?;
    }
    Ok(())
}

/// The value of `values` that `percent` per cent of them do not exceed.
fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}
