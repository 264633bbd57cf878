//! Buckets that are created with tags: what is authorized, what is rejected, and that a rejected
//! request leaves nothing behind.

use std::sync::Arc;

use bytes::Bytes;

use keywright_base::limits;

use super::{Ask, BodyError, Front, Rules, WireError, ask};

/// A request that creates the bucket `fresh` with these tags.
fn create(tags: &[(&str, &str)]) -> Ask {
    let tags = tags
        .iter()
        .map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>"));
    let tags: String = tags.collect();
    body(&format!("<Tags>{tags}</Tags>"))
}

fn body(inside: &str) -> Ask {
    ask("PUT /fresh").body(format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}\
         </CreateBucketConfiguration>"
    ))
}

/// The tags of the bucket `fresh` as `key=value`, or the error code.
async fn stored(front: &Front) -> String {
    let answer = front.root(ask("GET /fresh?tagging")).await;
    if answer.status != 200 {
        return answer.element("Code").to_owned();
    }
    let tags = answer.text.split("<Tag>").skip(1);
    let text = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!("<{name}>")).unwrap();
        rest.split_once("</").unwrap().0.to_owned()
    };
    let tags = tags.map(|tag| format!("{}={}", text(tag, "Key"), text(tag, "Value")));
    tags.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn tags_are_authorized_and_set() {
    let front = Front::new().await;
    let rules = Arc::new(Rules {
        allowed: vec!["s3:".into()],
        ..Rules::default()
    });
    let made = front
        .under(Arc::clone(&rules), create(&[("team", "ops"), ("cost", "")]))
        .await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(stored(&front).await, "team=ops cost=");
    let requested = rules.requested.lock().unwrap().clone();
    let tags = |name: &str| (name.to_owned(), vec!["team".to_owned(), "cost".to_owned()]);
    let one = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let expected = vec![
        one("aws:RequestTag/team", "ops"),
        one("aws:RequestTag/cost", ""),
        tags("aws:TagKeys"),
    ];
    let (what, contexts): (Vec<_>, Vec<_>) = requested.into_iter().unzip();
    assert_eq!(
        what,
        [
            "s3:CreateBucket arn:aws:s3:::fresh",
            "s3:TagResource arn:aws:s3:::fresh"
        ]
    );
    for context in contexts {
        assert_eq!(context.keys, expected);
    }
}

#[tokio::test]
async fn without_tags_nothing_more_is_authorized() {
    for request in [
        ask("PUT /fresh"),
        body(""),
        body("<Tags/>"),
        body("<Other><a/></Other>"),
    ] {
        let front = Front::new().await;
        let answer = front.by(&["s3:CreateBucket"], request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(stored(&front).await, "NoSuchTagSet");
    }
}

#[tokio::test]
async fn what_is_refused_creates_nothing() {
    let front = Front::new().await;
    let tag = [("team", "ops")];
    for allowed in ["s3:CreateBucket", "s3:TagResource"] {
        let answer = front.by(&[allowed], create(&tag)).await;
        assert_eq!(answer.element("Code"), "AccessDenied", "{answer:?}");
        assert_eq!(stored(&front).await, "NoSuchBucket");
    }
    let many: Vec<_> = (0..=limits::TAGS_PER_ENTITY)
        .map(|n| n.to_string())
        .collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "")).collect();
    let long = "k".repeat(129);
    let twice = "<Tags><Tag><Key>a</Key><Value/></Tag></Tags>".repeat(2);
    for (request, code) in [
        (create(&[("a", "1"), ("a", "2")]), "InvalidTag"),
        (create(&[("aws:a", "1")]), "InvalidTag"),
        (create(&[(&long, "1")]), "InvalidTag"),
        (create(&many), "BadRequest"),
        (body(&twice), "MalformedXML"),
        (body("<Tags><Tag><Key>a</Key></Tag></Tags>"), "MalformedXML"),
        (
            body("<Tags><Tag><Value>a</Value></Tag></Tags>"),
            "MalformedXML",
        ),
        (
            body("<Tags><Tag><Key>a</Key><Value/><More/></Tag></Tags>"),
            "MalformedXML",
        ),
        (
            body("<Tags><Tag><Key><a/></Key><Value/></Tag></Tags>"),
            "MalformedXML",
        ),
        (body("<Tags>"), "MalformedXML"),
        (body("</CreateBucketConfiguration><a/>"), "MalformedXML"),
        (ask("PUT /fresh").body("<Tags/>"), "MalformedXML"),
        (ask("PUT /fresh").body("tags"), "MalformedXML"),
        (
            body(&" ".repeat(limits::S3_XML_BYTES)),
            "MaxMessageLengthExceeded",
        ),
    ] {
        let answer = front.root(request).await;
        assert_eq!(answer.element("Code"), code, "{answer:?}");
        assert_eq!(stored(&front).await, "NoSuchBucket");
    }
}

#[tokio::test]
async fn a_body_that_was_not_signed_creates_nothing() {
    let front = Front::new().await;
    let wrong = WireError::silent(400, "XAmzContentSHA256Mismatch");
    let mut request = create(&[("team", "ops")]);
    request.chunks.push(Err(Box::new(wrong) as BodyError));
    let answer = front.root(request).await;
    assert_eq!(answer.element("Code"), "XAmzContentSHA256Mismatch");
    assert_eq!(stored(&front).await, "NoSuchBucket");
}

#[tokio::test]
async fn tags_come_in_pieces_and_escaped_and_beside_a_region() {
    let front = Front::new().await;
    let mut request = body(
        "<LocationConstraint>eu-west-1</LocationConstraint>\
         <Tags><Tag><Value>&#64;a</Value><Key>b:&#99;</Key></Tag></Tags>",
    );
    let whole = request.chunks.remove(0).unwrap();
    let pieces = whole
        .chunks(7)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)));
    request.chunks = pieces.collect();
    let answer = front.root(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let there = |line| Ask {
        region: "eu-west-1",
        ..ask(line)
    };
    let found = front.root(there("GET /fresh?tagging")).await;
    assert!(
        found.text.contains("<Key>b:c</Key><Value>@a</Value>"),
        "{}",
        found.text
    );
}

/// Not even for the caller's own bucket in us-east-1, for which CreateBucket otherwise succeeds.
#[tokio::test]
async fn a_bucket_that_exists_keeps_its_tags() {
    let front = Front::new().await;
    assert_eq!(front.root(create(&[("team", "ops")])).await.status, 200);
    for tags in ["dev", "ops"] {
        let again = front.root(create(&[("team", tags)])).await;
        assert_eq!(again.status, 409);
        assert_eq!(again.element("Code"), "BucketAlreadyOwnedByYou");
    }
    assert_eq!(front.root(ask("PUT /fresh")).await.status, 200);
    assert_eq!(stored(&front).await, "team=ops");
}
