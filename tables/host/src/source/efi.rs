//! Variables of the UEFI firmware.

use indago_table::prelude::*;

/// Vendor of the variables that the specification of UEFI defines.
pub(crate) const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";

const FOLDER: &str = "/sys/firmware/efi/efivars";

/// Fails on a machine without such firmware.
pub(crate) fn require(sys: &Sys) -> Result<()> {
    match sys.exists(FOLDER) {
        true => Ok(()),
        false => Err(sys.absent(format!("no UEFI firmware ({FOLDER} is missing)"))),
    }
}

/// Path of a variable's file.
pub(crate) fn path(name: &str, vendor: &str) -> String {
    format!("{FOLDER}/{name}-{vendor}")
}

/// The value of a variable; `None` if it does not exist.
pub(crate) fn variable(sys: &Sys, name: &str, vendor: &str) -> Result<Option<Vec<u8>>> {
    let Some(bytes) = sys.read(path(name, vendor)).if_present()? else { return Ok(None) };
    // Four bytes of attributes precede the value.
    match bytes.get(4..) {
        Some(value) => Ok(Some(value.to_vec())),
        None => Err(Error::Malformed(format!("{} is shorter than its attributes", path(name, vendor)))),
    }
}

/// The X.509 certificates in a variable with keys: lists of signatures, each list of one kind. What is malformed is an
/// error after the certificates before it.
pub(crate) fn certificates(value: &[u8]) -> (Vec<&[u8]>, Option<Error>) {
    let mut certificates = Vec::new();
    let mut rest = value;
    while !rest.is_empty() {
        let Some((list, left)) = list(rest) else {
            let what = format!("the list of signatures at byte {} is malformed", value.len() - rest.len());
            return (certificates, Some(Error::Malformed(what)));
        };
        certificates.extend(list);
        rest = left;
    }
    (certificates, None)
}

/// Kind of a list of certificates: a5c059a1-94e4-4aa7-87b5-ab155c2bf072, as the specification stores it.
const X509: [u8; 16] = [0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72];

/// The certificates of the first list, and what follows it. The list's kind, its size, those of its header and of each
/// signature, and the header precede the signatures. Each begins with its owner's ID.
fn list(bytes: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let size = |at: usize| {
        let size: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(size)).ok()
    };
    let (all, header, each) = (size(16)?, size(20)?, size(24)?);
    let signatures = bytes.get(header.checked_add(28)?..all)?;
    if each <= 16 {
        return None;
    }
    let certificates = match bytes.starts_with(&X509) {
        true => signatures.chunks_exact(each).filter_map(|signature| signature.get(16..)).collect(),
        false => Vec::new(),
    };
    Some((certificates, bytes.get(all..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kind: [u8; 16], signatures: &[&[u8]]) -> Vec<u8> {
        let each = 16 + signatures.first().map_or(32, |first| first.len());
        let mut list = kind.to_vec();
        for size in [28 + each * signatures.len(), 0, each] {
            list.extend((size as u32).to_le_bytes());
        }
        for signature in signatures {
            list.extend([9; 16]);
            list.extend(*signature);
        }
        list
    }

    #[test]
    fn lists_of_other_kinds_are_skipped() {
        let value = [list(X509, &[b"one"]), list([1; 16], &[b"hash", b"hash"]), list(X509, &[b"two", b"six"])].concat();
        assert_eq!(certificates(&value), (vec![&b"one"[..], b"two", b"six"], None));
        assert_eq!(certificates(&[]), (vec![], None));
        let (found, error) = certificates(&value[..value.len() - 1]);
        assert_eq!((found, error.is_some()), (vec![&b"one"[..]], true));
        crate::source::damaged::damaged(&value, |bytes| assert!(certificates(bytes).0.len() <= bytes.len()));
    }
}
