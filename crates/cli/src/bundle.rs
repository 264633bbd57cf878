//! The console's files as `build.rs` left them. A file with a `.gz` copy is served compressed to
//! clients that accept gzip.

use include_dir::{Dir, include_dir};
use keywright_server::console::{ConsoleAsset, ConsoleBundle};

static FILES: Dir<'_> = include_dir!("$OUT_DIR/console");

/// The embedded files.
pub(crate) fn bundle() -> ConsoleBundle {
    let mut assets = Vec::new();
    collect(&FILES, &mut assets);
    ConsoleBundle::new(assets, env!("KEYWRIGHT_CONSOLE_ABSENT"))
}

fn collect(folder: &'static Dir<'static>, assets: &mut Vec<ConsoleAsset>) {
    for file in folder.files() {
        let Some(path) = file.path().to_str().filter(|path| !path.ends_with(".gz")) else {
            continue;
        };
        let gzip = FILES.get_file(format!("{path}.gz"));
        assets.push(ConsoleAsset {
            path,
            bytes: file.contents(),
            gzip: gzip.map(include_dir::File::contents),
        });
    }
    for inner in folder.dirs() {
        collect(inner, assets);
    }
}

#[cfg(test)]
mod tests {
    use super::bundle;

    #[test]
    fn there_are_files_or_a_reason_why_not() {
        let bundle = bundle();
        assert_ne!(bundle.is_empty(), bundle.absent().is_empty());
    }
}
