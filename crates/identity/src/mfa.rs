//! The codes of virtual MFA devices: six digits computed from a seed and the time (RFC 6238), and
//! the seed itself: created, rendered as a QR code and sealed.
//!
//! Invariants:
//!
//! - No code is accepted twice: a device remembers the latest time step that was accepted.
//! - Codes cannot be guessed: [`attempts`] limits how often they are tried.
//! - A seed is in clear only while it is created or a code is checked.

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

/// Seconds for which a code is displayed.
const STEP_SECS: i64 = 30;
/// Codes are the low digits, below this number.
const MODULUS: u32 = 1_000_000;
/// Time steps by which a code may be early or late.
const TOLERANCE_STEPS: i64 = 2;
/// Time steps by which a device's clock may be off when it is enabled or resynchronized: ten
/// minutes.
const DRIFT_STEPS_MAX: i64 = 20;
/// Random bytes in a seed, as many as AWS's: 64 characters in base 32.
const SEED_BYTES: usize = 40;

/// A seed in clear.
pub(crate) type TotpSeed = Secret<Vec<u8>>;

fn step(now: Timestamp) -> i64 {
    now.secs().div_euclid(STEP_SECS)
}

/// The code at a time step.
fn code(seed: &TotpSeed, step: i64) -> Secret<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed.expose());
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = tag.last().map_or(0, |last| usize::from(last & 0x0f));
    let word = tag.iter().skip(offset).take(4);
    let word = word.fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) & 0x7fff_ffff;
    Secret::new(format!("{:06}", word % MODULUS))
}

/// The time step of this code, if it is close enough and later than every accepted one.
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

/// A code to check against devices.
#[derive(Clone, Copy)]
pub(crate) struct CodeCheck<'a> {
    pub vault: &'a DataVault,
    pub attempts: &'a MfaAttempts,
    pub account: &'a Account,
    pub origin: CodeOrigin,
    pub now: Timestamp,
}

/// The outcome of an attempt.
#[derive(Debug)]
pub(crate) enum CodeOutcome {
    /// The code is correct; the device's new state.
    Right(MfaDevice),
    /// The code is wrong, or was used before.
    Wrong,
    /// There were too many attempts, or the device is not assigned.
    Refused,
}

impl CodeCheck<'_> {
    /// Checks a code against the device with this serial number.
    ///
    /// # Errors
    /// [`OpenError`] if the seed cannot be opened.
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

    /// Records that the code of a counted attempt was correct.
    pub(crate) fn succeeded(self, serial: &str, enabled: &MfaAssignment) {
        let device = DeviceAssignment::new(serial, enabled.since);
        self.attempts.succeeded(&device, self.origin);
    }

    /// By how many time steps the device's clock is ahead, and the latest step used, if these are
    /// two consecutive codes of it. An offset within the tolerance that every code has is not
    /// drift.
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
            origin: CodeOrigin::Api(match view.caller.session() {
                None => Some(view.caller.key()),
                Some(session) => session.source,
            }),
            now: view.context.now,
        }
    }
}

/// The seal purpose and context of a device's seed.
pub(crate) const fn place(serial: &str) -> (SealPurpose, &str) {
    (SealPurpose::MfaSeed, serial)
}

pub(crate) fn new_seed(entropy: &dyn Entropy) -> TotpSeed {
    let mut seed = vec![0; SEED_BYTES];
    entropy.fill(&mut seed);
    Secret::new(seed)
}

/// Seals the seed of the device with this serial number.
///
/// [`OpenError`] if the cipher fails.
pub(crate) fn seal(
    vault: &DataVault,
    serial: &str,
    seed: &TotpSeed,
    entropy: &dyn Entropy,
) -> Result<SealedValue, OpenError> {
    vault.seal(place(serial), seed.expose(), entropy)
}

/// A seed in the form that users type into an authenticator app.
pub(crate) fn base32(seed: &TotpSeed) -> Secret<Vec<u8>> {
    Secret::new(BASE32.encode(seed.expose()).into_bytes())
}

/// Pixels per module of a QR code.
const MODULE_PIXELS: usize = 5;
/// The light margin that QR readers require, in modules.
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
