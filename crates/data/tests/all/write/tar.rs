//! Tar archives, as Python's `tarfile` writes them.

/// An archive of files.
pub fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        if name.len() > 100 {
            let long = format!("{name}\0").into_bytes();
            header(&mut out, "././@LongLink", long.len(), b'L');
            block(&mut out, &long);
        }
        header(&mut out, &name[..name.len().min(100)], bytes.len(), b'0');
        block(&mut out, bytes);
    }
    out.extend([0; 1024]);
    out
}

fn header(out: &mut Vec<u8>, name: &str, length: usize, kind: u8) {
    let mut head = [0u8; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[124..135].copy_from_slice(format!("{length:011o}").as_bytes());
    head[148..156].fill(b' ');
    head[156] = kind;
    head[257..265].copy_from_slice(b"ustar  \0");
    let sum: u32 = head.iter().map(|&b| u32::from(b)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    out.extend(head);
}

fn block(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
}
