//! Attributes of the model and of its hyper-parameters go to the struct.

#![deny(missing_docs, warnings)]

use std::collections::HashSet;

pixelrnn::model! {
    /// Docs before,
    #[derive(Hash, Debug, PartialOrd, Ord, Default, Clone)]
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "UPPERCASE")]
    #[cfg_attr(all(), derive(Eq), must_use = "it is a model")]
    #[cfg_attr(any(), derive(NoSuchTrait))]
    #[doc(hidden)]
    /// and docs after.
    #[doc = concat!("Docs that ", "are computed.")]
    #[allow(non_camel_case_types)]
    pub attributed {
        /// Features.
        #[serde(rename = "features", default)]
        h: usize = 2,
        #[deprecated(note = "use h")]
        #[doc(alias = "width")]
        old: usize = 3,
    }
    image 3 x 3, colours 1, levels 2;
    stem: masked_conv(3x3, A, h + old); logits;
}

pixelrnn::model! {
    /// On its way out.
    #[cfg_attr(any(), deprecated)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[deprecated(note = "use another")]
    #[non_exhaustive]
    pub Deprecated { h: usize = 2 }
    image 3 x 3, colours 1, levels 2;
    stem: masked_conv(3x3, A, h); logits;
}

// Not there, in spite of all that is wrong with them; and there, under the same names.
pixelrnn::model! {
    #[cfg(any())]
    Left { h: usize = 0, type: f32 }
    image 3 x 3; no_such_layer;
}
pixelrnn::model! {
    #[cfg_attr(all(), cfg(any()))]
    #[no_such_attribute]
    Left
    image 3 x 3, colours 1, levels 2;
    stem: masked_conv(3x3, A, 1); relu; conv(3 x 3, 1); logits;
}
pixelrnn::model! {
    #[cfg(not(any()))]
    #[cfg_attr(all(), cfg(all()))]
    Left
    image 3 x 3, colours 1, levels 2;
    stem: masked_conv(3x3, A, 1); logits;
}

#[allow(deprecated)]
pub(super) fn main() {
    use pixelrnn::Model;
    let model = attributed::default();
    assert_eq!((model.h, model.old), (2, 3));
    assert_eq!(HashSet::from([model, model, attributed { h: 5, ..model }]).len(), 2);
    assert!(attributed { h: 5, ..model } > model);
    let json = serde_json::to_string(&model).expect("JSON");
    assert_eq!(json, r#"{"features":2,"OLD":3}"#);
    assert_eq!(serde_json::from_str::<attributed>(&json).expect("JSON"), model);
    // Docs are a part of the model's text; other attributes are not.
    let declared = model.declare().expect("it compiled");
    assert_eq!(declared.doc(), "Docs before,\nand docs after.");
    assert!(!declared.text().contains("derive"), "{}", declared.text());
    assert!(Deprecated::default().declare().is_ok());
    assert_eq!(Left::NAME, "Left");
    fn local() -> &'static str {
        pixelrnn::model! {
            #[cfg(any())]
            Local
            image 3 x 3; nothing;
        }
        pixelrnn::model! {
            #[cfg(all())]
            Local
            image 3 x 3, colours 1, levels 2;
            stem: masked_conv(3x3, A, 1); logits;
        }
        Local::NAME
    }
    assert_eq!(local(), "Local");
}
