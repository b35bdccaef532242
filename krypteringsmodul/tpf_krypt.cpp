// tpf-krypt: the krypteringsmodul, run in the municipality's secure zone. See docs/krypteringsmodul.md.

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "base/encoding.h"
#include "krypteringsmodul/encrypt.h"
#include "krypteringsmodul/options.h"
#include "krypteringsmodul/recipient_keys.h"
#include "krypteringsmodul/sender_error.h"

namespace {

using namespace tpf;
using namespace tpf::krypteringsmodul;

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
    interrupted = true;
}

void catch_signals() {
    struct sigaction action {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, nullptr);  // a closed standard output must not leave a file half written
}

Status run(const Options& options) {
    FileSystem& fs = posix_file_system();
    TPF_TRY(const auto key_file, load_key_file(fs, options.key_file, options.roots));
    std::printf("Nøkkelfilens SHA-256 (%s): %s\n",
                options.roots.empty() ? "sammenlign med den publiserte" : "signaturen er kontrollert",
                hex(key_file.digest).c_str());
    std::fflush(stdout);

    std::unique_ptr<Progress> progress = std::make_unique<NoProgress>();
    if (isatty(STDERR_FILENO) == 1) progress = std::make_unique<TerminalProgress>();
    const EncryptJob job{options.export_file,
                         options.output,
                         options.contact,
                         options.meldings_id,
                         options.transport,
                         options.max_person_bytes,
                         std::max(1U, std::thread::hardware_concurrency())};
    TPF_TRY(const auto persons, encrypt_export(job, key_file.keys, {fs, system_clock(), interrupted, *progress}));
    std::printf("Antall personer: %llu\n", static_cast<unsigned long long>(persons));
    return ok();
}

int tell(const Error& error) {
    std::fprintf(stderr, "%s\n", error.detail().c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    prctl(PR_SET_DUMPABLE, 0);  // a core file would hold the persons' data in clear
    catch_signals();
    try {
        std::string shown;
        const auto options = parse_options(argc, argv, shown);
        if (!options) return tell(options.error());
        if (!options.value()) {
            std::fputs(shown.c_str(), stdout);
            return 0;
        }
        const auto done = run(*options.value());
        return done ? 0 : tell(done.error());
    } catch (const std::bad_alloc&) {
        return tell(feil(Code::internal, "Det er ikke nok minne på maskinen."));
    } catch (const std::exception&) {
        return tell(feil(Code::internal, "Det oppstod en feil i programmet."));
    }
}
