//! portald: the daemon and its command line.

fn main() -> std::process::ExitCode {
    portald::cli::main()
}
