//! Compiles goldentime.proto with a compiler written in Rust, so that no protoc has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=goldentime.proto");
    let descriptors = protox::compile(["goldentime.proto"], ["."])?;
    prost_build::Config::new().bytes(["."]).btree_map(["."]).compile_fds(descriptors)?;
    Ok(())
}
