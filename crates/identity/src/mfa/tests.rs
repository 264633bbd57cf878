//! Codes as in RFC 6238, which ones are accepted, and the contents of a QR code.

use keywright_base::{Secret, Timestamp, limits};

use qrcode::QrCode;

use super::{
    CodeCheck, CodeOrigin, CodeOutcome, MODULE_PIXELS, MfaAttempts, QUIET_MODULES, base32, code,
    qr_code, seal, step,
};
use crate::{
    state::{Account, CredentialOwner, MfaAssignment, MfaDevice},
    testing::TestEntropy as Random,
    vault::{DataVault, KEY_BYTES, MasterKey},
};

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/phone";

#[test]
fn codes_are_those_of_the_rfc() {
    let seed = Secret::new(b"12345678901234567890".to_vec());
    for (secs, expected) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        let made = code(&seed, step(Timestamp::from_secs(secs)));
        assert_eq!(made.expose(), expected, "{secs}");
    }
}

/// The time steps, relative to the current one, whose codes a device with this last used step and
/// clock drift accepts.
fn taken(last_used_step: i64, drift: i64) -> Vec<i64> {
    let seed = Secret::new(vec![7; 40]);
    let master = MasterKey::new(Secret::new(vec![7; KEY_BYTES])).unwrap();
    let (vault, _) = DataVault::create(&master, &Random::default()).unwrap();
    let now = Timestamp::from_secs(1_795_507_215);
    let here = step(now);
    let device = MfaDevice {
        path: "/".to_owned(),
        name: "phone".to_owned(),
        tags: Vec::new(),
        seed: seal(&vault, SERIAL, &seed, &Random::default()).unwrap(),
        last_used_step: here + last_used_step,
        enabled: Some(MfaAssignment {
            owner: CredentialOwner::Root,
            since: now,
            drift,
        }),
    };
    let account = Account::empty("123456789012".parse().unwrap(), now);
    let right = |offset: &i64| {
        let attempts = MfaAttempts::default();
        let trial = CodeCheck {
            vault: &vault,
            attempts: &attempts,
            account: &account,
            origin: CodeOrigin::Console(None),
            now,
        };
        let given = code(&seed, here + offset);
        match trial.code(&device, SERIAL, &given).unwrap() {
            CodeOutcome::Right(after) => {
                assert_eq!(after.last_used_step, here + offset);
                let again = trial.code(&after, SERIAL, &given).unwrap();
                assert!(matches!(again, CodeOutcome::Wrong));
                true
            }
            CodeOutcome::Wrong => false,
            CodeOutcome::Refused => panic!("refused"),
        }
    };
    (-30..=30).filter(right).collect()
}

#[test]
fn a_code_is_taken_near_its_time_and_never_after_a_newer_one() {
    for (last_used_step, drift, expected) in [
        (-100, 0, vec![-2, -1, 0, 1, 2]),
        (-1, 0, vec![0, 1, 2]),
        (2, 0, vec![]),
        (-100, 12, vec![10, 11, 12, 13, 14]),
        (-100, -20, vec![-22, -21, -20, -19, -18]),
    ] {
        assert_eq!(
            taken(last_used_step, drift),
            expected,
            "{last_used_step} {drift}"
        );
    }
}

/// The modules in a PNG, dark ones as `#`, one line per row, without the margin.
fn read(file: &[u8]) -> String {
    let mut reader = png::Decoder::new(std::io::Cursor::new(file))
        .read_info()
        .unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let side = usize::try_from(reader.next_frame(&mut pixels).unwrap().width).unwrap();
    let margin = QUIET_MODULES * MODULE_PIXELS;
    let middles = || {
        (margin..side - margin)
            .skip(MODULE_PIXELS / 2)
            .step_by(MODULE_PIXELS)
    };
    let module = |x, y| if pixels[y * side + x] == 0 { '#' } else { ' ' };
    let row = |y| middles().map(move |x| module(x, y)).collect::<String>();
    let border = pixels.iter().take(margin * side);
    assert!(border.clone().all(|pixel| *pixel == 0xff));
    middles().map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_qr_code_says_what_an_app_needs() {
    let seed = Secret::new(vec![0xa5; 40]);
    let text = base32(&seed);
    let secret = std::str::from_utf8(text.expose()).unwrap();
    for (name, account, label) in [
        ("phone", "123456789012", "phone%40123456789012"),
        ("a+b=c,d", "acme", "a%2Bb%3Dc%2Cd%40acme"),
    ] {
        let file = qr_code(&text, name, account).unwrap();
        let uri = format!("otpauth://totp/Keywright:{label}?secret={secret}&issuer=Keywright");
        let code = QrCode::new(uri).unwrap();
        let mut drawn = code.render();
        drawn.quiet_zone(false).module_dimensions(1, 1);
        let expected = drawn.dark_color('#').light_color(' ').build();
        assert_eq!(read(file.expose()), expected);
    }
    let longest = "x".repeat(limits::MFA_SERIAL_CHARS);
    qr_code(&text, &longest, &"y".repeat(63)).unwrap();
}
