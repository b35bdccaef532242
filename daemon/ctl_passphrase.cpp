#include "daemon/ctl_passphrase.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "daemon/credentials.h"

namespace tpf::daemon {
namespace {

using crypto::SecretBytes;
using crypto::SecretToken;

/// A line that is not shown while it is typed.
SecretBytes typed_secret(const std::string& prompt) {
    std::cerr << prompt << std::flush;
    termios before{};
    const bool terminal = ::tcgetattr(STDIN_FILENO, &before) == 0;
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (terminal) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    std::string line;
    std::getline(std::cin, line);
    if (terminal) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    std::cerr << "\n";
    auto secret = SecretBytes::copy_of(as_bytes(line));
    forget(line);
    return secret;
}

auto no_passphrase(const PassphraseFor& whose) {
    return fail(Code::config, std::string("the ") + whose.what + "'s passphrase is missing",
                whose.credential ? "give --passphrase-fd 0 with the passphrase on standard input, set "
                                   "CREDENTIALS_DIRECTORY to the folder of the credential keyring-passphrase, or type "
                                   "it at a terminal"
                                 : "give --passphrase-fd 0 with the passphrase on standard input, or type it at a "
                                   "terminal");
}

}  // namespace

void forget(std::string& text) {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    text.clear();
}

bool same(const SecretBytes& a, const SecretBytes& b) {
    const ByteView left = a.bytes(SecretToken::access()), right = b.bytes(SecretToken::access());
    return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

Result<SecretBytes> get_passphrase(std::optional<int> fd, const PassphraseFor& whose) {
    if (fd || whose.credential) {
        TPF_TRY(auto given, read_passphrase(fd));
        if (given.size() != 0) return given;
    }
    if (fd || ::isatty(STDIN_FILENO) == 0) return no_passphrase(whose);
    auto first = typed_secret(std::string(whose.is_new ? "new " : "") + "passphrase of the " + whose.what + ": ");
    if (first.size() == 0) return no_passphrase(whose);
    if (!whose.is_new) return first;
    const auto again = typed_secret("the same again: ");
    if (!same(first, again)) return fail(Code::usage, "the two passphrases differ", "begin again");
    return first;
}

}  // namespace tpf::daemon
