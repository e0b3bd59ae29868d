//! Links, devices, missing folders, and leftovers of killed writers.

use pixelrnn_files as files;

/// A link stays a link; its target is replaced.
#[cfg(unix)]
#[test]
fn links_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
    std::fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    files::writable(&link).unwrap();
    files::write(&link, b"new").unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert!(files::writable(folder.path()).is_err());
    assert!(files::writable(&folder.path().join("gone").join("x")).is_err());
    // A device is written to, and not replaced.
    files::write(std::path::Path::new("/dev/null"), b"x").unwrap();
    use std::os::unix::fs::FileTypeExt;
    let device = std::fs::metadata("/dev/null").unwrap().file_type();
    assert!(device.is_char_device());
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_without_a_name_drawn_by_chance() {
    let folder = tempfile::tempdir().unwrap();
    let error = files::write(&folder.path().join("gone").join("x"), b"x").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    let text = error.to_string();
    assert!(!text.contains("unfinished") && !text.contains("gone"), "{text}");
    // What a killed writer left is removed; other files stay.
    std::fs::write(folder.path().join(".unfinished-x1"), "").unwrap();
    std::fs::write(folder.path().join("kept"), "").unwrap();
    files::sweep(folder.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap()).collect();
    assert_eq!(left.iter().map(|e| e.file_name()).collect::<Vec<_>>(), ["kept"]);
}
