//! Holding what usage records add up to against what the carrier counted.

/// How far the two may be apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// `reconcile.tolerance_bytes`: so many bytes always may.
    pub bytes: i64,
    /// `reconcile.tolerance_permille`: so many thousandths of the greater number may.
    pub permille: i64,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { bytes: 1 << 20, permille: 10 }
    }
}

/// The records' sum less the carrier's count, where they are further apart than both allowances.
pub fn difference(records: i64, counted: i64, tolerance: Tolerance) -> Option<i64> {
    let apart = i128::from(records) - i128::from(counted);
    let share = i128::from(records.max(counted).max(0)) * i128::from(tolerance.permille) / 1_000;
    let allowed = share.max(i128::from(tolerance.bytes));
    (apart.abs() > allowed).then(|| i64::try_from(apart).unwrap_or(if apart < 0 { i64::MIN } else { i64::MAX }))
}
