//! Stamps of rows: none is returned again after the row was written.

use std::sync::Arc;

use super::{
    done,
    index::{bucket, create, object, remove, update},
    wait,
};
use crate::contract::{DeleteMarkerRow, IndexWrite, ObjectCondition, ObjectIndex, VersionId};

pub(super) fn written_rows_get_other_stamps(store: Arc<dyn ObjectIndex>) {
    let put = |etag: &str| IndexWrite::PutObject {
        row: object("b", "k", etag),
        expect: ObjectCondition::Any,
    };
    let marker = IndexWrite::PutDeleteMarker {
        row: DeleteMarkerRow {
            bucket: "b".into(),
            key: "k".into(),
            version: VersionId::new("m"),
            body: Vec::new(),
        },
        expect: ObjectCondition::Any,
    };
    let take = |version: &str| IndexWrite::DeleteObject {
        bucket: "b".into(),
        key: "k".into(),
        version: VersionId::new(version),
        expect: ObjectCondition::Any,
    };
    let of_bucket = || store.bucket_stamp("b");
    let of_object = || store.object_stamp("b", "k");
    for (write, bucket_changes, object_changes) in [
        (create("b"), true, false),
        (update(&bucket("b", 1, "new"), "b"), true, false),
        (put("1"), false, true),
        (put("2"), false, true),
        (marker, false, true),
        (take("m"), false, true),
        (take("null"), false, true),
        (remove("b"), true, false),
    ] {
        let described = format!("{write:?}");
        let before = (of_bucket(), of_object());
        assert_eq!((of_bucket(), of_object()), before, "nothing was written");
        done(store.apply(vec![write]));
        let after = (of_bucket(), of_object());
        for (changes, before, after) in [
            (bucket_changes, before.0, after.0),
            (object_changes, before.1, after.1),
        ] {
            assert!(
                !changes || before.is_none() || after != before,
                "{described}"
            );
            // An engine either has stamps or has none.
            assert_eq!(after.is_some(), before.is_some(), "{described}");
        }
    }
    // After a rejected batch there are stamps, too.
    let before = of_object();
    assert!(wait(store.apply(vec![put("3")])).is_err());
    assert_eq!(of_object().is_some(), before.is_some());
}
