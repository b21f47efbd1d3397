//! Steps of speed that an account's own document names, as a setting: `KILOBITS=CODE`, joined by commas.

/// Reads the steps; the fastest comes first. An empty text has none.
pub fn read(key: &str, text: &str) -> Result<Vec<(u32, String)>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let one = |pair: &str| {
        let (kbps, code) = pair.split_once('=')?;
        let kbps = kbps.trim().parse::<u32>().ok().filter(|kbps| *kbps > 0)?;
        Some((kbps, code.trim().to_owned())).filter(|(_, code)| !code.is_empty())
    };
    let read: Option<Vec<(u32, String)>> = text.split(',').map(one).collect();
    let mut speeds = read.ok_or_else(|| format!("{key}: \"{text}\" is not of the form 1024=12,512=10"))?;
    speeds.sort_by_key(|(kbps, _)| std::cmp::Reverse(*kbps));
    Ok(speeds)
}

/// The code of this speed, or of the fastest step below it, or of the slowest.
pub fn step(speeds: &[(u32, String)], kbps: u32) -> Option<&str> {
    speeds.iter().find(|(step, _)| *step <= kbps).or(speeds.last()).map(|(_, code)| code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_the_next_step_below() {
        let steps = read("speed_codes", "512=10, 1024=12").unwrap();
        let code = |kbps| step(&steps, kbps).unwrap();
        assert_eq!((code(2048), code(1024), code(1023), code(1)), ("12", "12", "10", "10"));
        assert_eq!((read("speed_codes", "").unwrap().len(), step(&[], 1)), (0, None));
        for bad in ["12", "x=12", "0=1", "1024=", "1024=12,"] {
            assert!(read("speed_codes", bad).unwrap_err().starts_with("speed_codes: "), "{bad}");
        }
    }
}
