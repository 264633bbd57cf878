//! Has one evaluator decide one request many times: `instructions NAME TIMES`, for a tool that
//! counts instructions (`cargo xtask instructions --peers`); `instructions list` gives the names.

mod evaluators;

use evaluators::{Evaluators, NAMES, fixture};

fn main() {
    let mut words = std::env::args().skip(1);
    let wanted = words.next().unwrap_or_default();
    // `cargo bench` calls every bench without a number.
    let times = words.next().and_then(|times| times.parse::<u32>().ok());
    let list = wanted == "list";
    let evaluators = Evaluators::new();
    for (row, (name, .., allowed)) in fixture::REQUESTS.iter().enumerate() {
        for evaluator in NAMES {
            let full = format!("{name}, {evaluator}");
            if !list && (full != wanted || times.is_none()) {
                continue;
            }
            let Some(decide) = evaluators.decide(evaluator, row) else {
                continue;
            };
            if list {
                println!("{full}");
            }
            for _ in 0..times.unwrap_or_default() {
                assert_eq!(decide(), Some(*allowed));
            }
        }
    }
}
