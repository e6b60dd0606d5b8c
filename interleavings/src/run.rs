//! Runs the cases, each in a process of its own: some state of the library's is one for the process.

use real_std::env;
use real_std::process::{exit, Command};
use real_std::time::{Instant, SystemTime, UNIX_EPOCH};

use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

use crate::world::{tasks, time};
use crate::{fork, process};

/// Places where PCT changes what it prefers.
const DEPTH: usize = 3;

const HELP: &str = "mpr-interleavings [CASE [SCHEDULE]], with ITERATIONS=1000 of each scheduler and SEED=...";

/// A number below this, as a part of the run.
pub fn chance(below: usize) -> usize {
    shuttle::rand::thread_rng().gen_range(0..below)
}

pub fn main(cases: &[(&str, fn())]) {
    let number =
        |name: &str| env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}?")));
    let iterations = number("ITERATIONS").unwrap_or(1000) as usize;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = number("SEED").unwrap_or(clock);
    let arguments: Vec<String> = env::args().skip(1).collect();
    let Some(name) = arguments.first() else {
        let bad: Vec<_> = cases.iter().map(|case| case.0).filter(|name| !alone(name, iterations, seed)).collect();
        if !bad.is_empty() {
            eprintln!("failed: {}", bad.join(" "));
            exit(1);
        }
        return;
    };
    let Some((_, case)) = cases.iter().find(|case| case.0 == name) else {
        eprintln!("{HELP}\ncases: {}", cases.iter().map(|case| case.0).collect::<Vec<_>>().join(" "));
        exit(2);
    };
    run(RandomScheduler::new_from_seed(0, 1), || {
        process::at_load();
        fork::at_load();
    });
    match arguments.get(1) {
        Some(schedule) => run(ReplayScheduler::new_from_encoded(schedule), *case),
        None => {
            run(RandomScheduler::new_from_seed(seed, iterations), *case);
            run(PctScheduler::new_from_seed(seed, DEPTH, iterations), *case);
        }
    }
}

fn alone(name: &str, iterations: usize, seed: u64) -> bool {
    let begin = Instant::now();
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(name).env("ITERATIONS", iterations.to_string()).env("SEED", seed.to_string());
    let good = command.status().unwrap().success();
    let how = if good { "ok" } else { "FAILED" };
    println!("{name}: {how}, 2 x {iterations} runs, {:.1} s", begin.elapsed().as_secs_f64());
    if !good {
        println!("again: SEED={seed} ITERATIONS={iterations} make interleavings CASE={name}, or CASE='{name} <its schedule>'");
    }
    good
}

fn run(scheduler: impl Scheduler + 'static, case: fn()) {
    let mut config = Config::new();
    config.stack_size = 512 * 1024;
    config.max_steps = MaxSteps::FailAfter(200_000);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        time::begin();
        let before = process::panics::caught();
        case();
        tasks::end();
        assert_eq!(process::panics::caught(), before, "something panicked where panics are contained");
    });
}
