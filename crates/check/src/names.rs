//! Module names and source lines of nodes, from metadata that PyTorch's exporters write.

use pixelrnn_onnx::proto::NodeProto;

fn metadata<'n>(node: &'n NodeProto, key: &str) -> Option<&'n str> {
    node.metadata_props.iter().find(|p| p.key() == key).map(|p| p.value())
}

/// The innermost module of a node, for example `body.0.conv`; empty if it is not known.
pub(crate) fn module(node: &NodeProto) -> String {
    // A list as Python prints it, from the root module (whose name is empty) to the operation.
    if let Some(scopes) = metadata(node, "pkg.torch.onnx.name_scopes") {
        let quoted: Vec<&str> = scopes.split('\'').skip(1).step_by(2).collect();
        let modules = quoted.split_last().map_or(&[][..], |(_, modules)| modules);
        return modules.last().map_or(String::new(), |m| m.to_string());
    }
    // The TorchScript exporter writes `/body/body.0/conv/Conv`.
    match node.name().strip_prefix('/').and_then(|n| n.rsplit_once('/')) {
        Some((path, _)) => legacy(path),
        None => String::new(),
    }
}

/// Turns `body/body.0/conv` into `body.0.conv`: an element of a list is named together with the
/// list.
fn legacy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        let list = parts
            .last()
            .is_some_and(|p| part.strip_prefix(p).is_some_and(|rest| rest.starts_with('.')));
        if list {
            parts.pop();
        }
        parts.push(part);
    }
    parts.join(".")
}

/// File and line of the innermost stack frame outside of libraries; empty if it is not known. The
/// exporter lists outer frames first, and those of installed packages last.
pub(crate) fn source(node: &NodeProto) -> String {
    let Some(trace) = metadata(node, "pkg.torch.onnx.stack_trace") else { return String::new() };
    let own = |frame: &&str| !frame.contains("site-packages") && !frame.contains("dist-packages");
    let Some(frame) = trace.split("File \"").skip(1).filter(own).last() else {
        return String::new();
    };
    let Some((file, rest)) = frame.split_once("\", line ") else { return String::new() };
    let line: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    format!("{name}:{line}")
}

#[cfg(test)]
mod tests {
    use pixelrnn_onnx::proto::StringStringEntryProto;

    use super::*;

    #[test]
    fn modules_and_lines_are_read_from_what_exporters_write() {
        let entry = |key: &str, value: &str| StringStringEntryProto {
            key: Some(key.into()),
            value: Some(value.into()),
        };
        let trace = "File \"/a/model.py\", line 12, in forward\n    x = self.conv(x)\n  \
                     File \"/b/site-packages/torch/nn/conv.py\", line 7, in forward";
        let node = NodeProto {
            metadata_props: vec![
                entry("pkg.torch.onnx.name_scopes", "['', 'body', 'body.0', 'conv2d_1']"),
                entry("pkg.torch.onnx.stack_trace", trace),
            ],
            ..NodeProto::default()
        };
        assert_eq!((module(&node).as_str(), source(&node).as_str()), ("body.0", "model.py:12"));
        let named = |name: &str| NodeProto { name: Some(name.into()), ..NodeProto::default() };
        assert_eq!(module(&named("/body/body.0/conv/Conv")), "body.0.conv");
        assert_eq!(module(&named("/Relu")), "");
        assert_eq!(module(&named("Conv_3")), "");
    }
}
