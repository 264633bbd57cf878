//! How long one decision takes each evaluator: `cargo bench --bench peers`.

mod evaluators;

use criterion::{Criterion, criterion_group, criterion_main};
use evaluators::{Evaluators, NAMES, fixture};

fn peers(criterion: &mut Criterion) {
    let evaluators = Evaluators::new();
    for (row, (name, ..)) in fixture::REQUESTS.iter().enumerate() {
        let mut group = criterion.benchmark_group(*name);
        for evaluator in NAMES {
            if let Some(decide) = evaluators.decide(evaluator, row) {
                group.bench_function(evaluator, |b| b.iter(&decide));
            }
        }
        group.finish();
    }
}

criterion_group!(benches, peers);
criterion_main!(benches);
