//! The codes of virtual MFA devices: six digits that a seed and the time make (RFC 6238), and the
//! seed itself, made, shown as a QR code and sealed.
//!
//! It protects three rules: no code is accepted twice, since a device remembers the newest step
//! that was; codes cannot be guessed, since [`attempts`] limits how often they are tried; and a
//! seed is in clear only while it is made or a code is checked.

mod attempts;

use data_encoding::BASE32;
use keywright_base::{Entropy, Secret, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use png::{BitDepth, ColorType, Encoder};
use qrcode::{Color, QrCode};
use ring::hmac;

use self::attempts::DeviceAssignment;
pub(crate) use self::attempts::{CodeOrigin, MfaAttempts};
use crate::{
    fault::IamFault,
    state::{Account, MfaAssignment, MfaDevice},
    vault::{DataVault, OpenError, SealPurpose, SealedValue},
    view::StateView,
};

/// Seconds that a code is shown.
const STEP_SECS: i64 = 30;
/// Codes differ in so many low digits.
const MODULUS: u32 = 1_000_000;
/// Steps by which a code may be early or late.
const TOLERANCE_STEPS: i64 = 2;
/// Steps by which the clock of a device may be off when it is enabled or synchronised: ten minutes.
const DRIFT_STEPS_MAX: i64 = 20;
/// Random bytes of a seed; AWS's have as many, which is 64 characters of base 32.
const SEED_BYTES: usize = 40;

/// A seed in clear.
pub(crate) type TotpSeed = Secret<Vec<u8>>;

fn step(now: Timestamp) -> i64 {
    now.secs().div_euclid(STEP_SECS)
}

/// The code of a step.
fn code(seed: &TotpSeed, step: i64) -> Secret<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed.expose());
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = tag.last().map_or(0, |last| usize::from(last & 0x0f));
    let word = tag.iter().skip(offset).take(4);
    let word = word.fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) & 0x7fff_ffff;
    Secret::new(format!("{:06}", word % MODULUS))
}

/// The step whose code this is, if it is near enough and newer than every one before.
fn accepted(
    device: &MfaDevice,
    enabled: &MfaAssignment,
    (seed, given): (&TotpSeed, &Secret<String>),
    now: Timestamp,
) -> Option<i64> {
    let here = step(now) + enabled.drift;
    (here - TOLERANCE_STEPS..=here + TOLERANCE_STEPS)
        .find(|step| *step > device.last_used_step && code(seed, *step) == *given)
}

/// A code in hand, to be tried at one device after another.
#[derive(Clone, Copy)]
pub(crate) struct CodeCheck<'a> {
    pub vault: &'a DataVault,
    pub attempts: &'a MfaAttempts,
    pub account: &'a Account,
    pub origin: CodeOrigin,
    pub now: Timestamp,
}

/// What came of a try.
#[derive(Debug)]
pub(crate) enum CodeOutcome {
    /// The code is right; the device as it is from now on.
    Right(MfaDevice),
    /// The code is wrong or was used before.
    Wrong,
    /// Too many were tried, or the device is assigned to nobody.
    Refused,
}

impl CodeCheck<'_> {
    /// Tries a code at the device with this serial number.
    ///
    /// # Errors
    /// [`OpenError`] when the seed cannot be opened.
    pub(crate) fn code(
        self,
        device: &MfaDevice,
        serial: &str,
        given: &Secret<String>,
    ) -> Result<CodeOutcome, OpenError> {
        let Some(enabled) = &device.enabled else {
            return Ok(CodeOutcome::Refused);
        };
        if !self.begin(serial, enabled) {
            return Ok(CodeOutcome::Refused);
        }
        let seed = self.vault.open(place(serial), device.seed.as_bytes())?;
        let step = accepted(device, enabled, (&seed, given), self.now);
        if step.is_some() {
            self.succeeded(serial, enabled);
        }
        Ok(step.map_or(CodeOutcome::Wrong, |last_used_step| {
            CodeOutcome::Right(MfaDevice {
                last_used_step,
                ..device.clone()
            })
        }))
    }

    /// Counts an attempt at an assigned device, unless there were too many.
    pub(crate) fn begin(self, serial: &str, enabled: &MfaAssignment) -> bool {
        let device = DeviceAssignment::new(serial, enabled.since);
        let exists = |key| self.account.key(key).is_some();
        self.attempts.begin(device, self.origin, exists, self.now)
    }

    /// A right code was given for an attempt that was counted.
    pub(crate) fn succeeded(self, serial: &str, enabled: &MfaAssignment) {
        let device = DeviceAssignment::new(serial, enabled.since);
        self.attempts.succeeded(&device, self.origin);
    }

    /// By how many steps the device's clock is ahead, and the newest step that is used now, if
    /// these are two codes of it in a row. What a code may be off at any time is no drift.
    ///
    /// # Errors
    /// [`IamFault::InvalidAuthenticationCode`], or an internal one.
    pub(crate) fn synchronise(
        self,
        device: &MfaDevice,
        serial: &str,
        [first, second]: [&str; 2],
    ) -> Result<(i64, i64), IamFault> {
        let seed = self.vault.open(place(serial), device.seed.as_bytes());
        let seed = seed.map_err(|error| IamFault::Internal(error.to_string()))?;
        let (first, second) = (
            Secret::new(first.to_owned()),
            Secret::new(second.to_owned()),
        );
        let here = step(self.now);
        let found = (here - DRIFT_STEPS_MAX..=here + DRIFT_STEPS_MAX).find(|step| {
            *step > device.last_used_step
                && code(&seed, *step) == first
                && code(&seed, step + 1) == second
        });
        let newest = found.ok_or(IamFault::InvalidAuthenticationCode)? + 1;
        let drift = newest - here;
        let drift = if drift.abs() <= TOLERANCE_STEPS {
            0
        } else {
            drift
        };
        Ok((drift, newest))
    }
}

impl<'a> From<&StateView<'a>> for CodeCheck<'a> {
    fn from(view: &StateView<'a>) -> Self {
        Self {
            vault: view.vault,
            attempts: view.mfa_attempts,
            account: view.account,
            origin: CodeOrigin::Api(view.caller.session().is_none().then(|| view.caller.key())),
            now: view.context.now,
        }
    }
}

/// Where the seed of a device is sealed to.
pub(crate) const fn place(serial: &str) -> (SealPurpose, &str) {
    (SealPurpose::MfaSeed, serial)
}

/// A new seed.
pub(crate) fn new_seed(entropy: &dyn Entropy) -> TotpSeed {
    let mut seed = vec![0; SEED_BYTES];
    entropy.fill(&mut seed);
    Secret::new(seed)
}

/// Seals the seed of the device with this serial number.
///
/// # Errors
/// [`OpenError`] when the cipher refuses.
pub(crate) fn seal(
    vault: &DataVault,
    serial: &str,
    seed: &TotpSeed,
    entropy: &dyn Entropy,
) -> Result<SealedValue, OpenError> {
    vault.seal(place(serial), seed.expose(), entropy)
}

/// A seed as people type it into an authenticator app.
pub(crate) fn base32(seed: &TotpSeed) -> Secret<Vec<u8>> {
    Secret::new(BASE32.encode(seed.expose()).into_bytes())
}

/// Pixels of one module of a QR code.
const MODULE_PIXELS: usize = 5;
/// Light modules around a QR code, which readers need.
const QUIET_MODULES: usize = 4;

/// The QR code that an authenticator app scans, as a PNG.
///
/// # Errors
/// [`IamFault::Internal`] for a name that is too long for any QR code.
pub(crate) fn qr_code(
    base32: &Secret<Vec<u8>>,
    name: &str,
    account: &str,
) -> Result<Secret<Vec<u8>>, IamFault> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let secret = String::from_utf8_lossy(base32.expose());
    let uri = Secret::new(format!(
        "otpauth://totp/Keywright:{}?secret={secret}&issuer=Keywright",
        encoded(&format!("{name}@{account}"))
    ));
    let failed = |_| IamFault::Internal("a QR code could not be made".to_owned());
    let code = QrCode::new(uri.expose().as_bytes()).map_err(failed)?;
    draw(&code).map(Secret::new).ok_or_else(|| {
        let text = "a QR code could not be drawn";
        IamFault::Internal(text.to_owned())
    })
}

fn draw(code: &QrCode) -> Option<Vec<u8>> {
    let modules = code.width() + 2 * QUIET_MODULES;
    let width = modules * MODULE_PIXELS;
    let colors = code.to_colors();
    let dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(QUIET_MODULES)?, y.checked_sub(QUIET_MODULES)?);
        let inside = x < code.width();
        let color = inside.then(|| colors.get(y * code.width() + x))??;
        Some(*color == Color::Dark)
    };
    let pixel = |x: usize, y: usize| {
        let dark = dark(x / MODULE_PIXELS, y / MODULE_PIXELS).unwrap_or(false);
        if dark { 0x00 } else { 0xff }
    };
    let pixels = (0..width).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels: Vec<u8> = pixels.map(|(x, y)| pixel(x, y)).collect();
    let mut file = Vec::new();
    let side = u32::try_from(width).ok()?;
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests;
