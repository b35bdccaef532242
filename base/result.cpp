#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace tpf {

Error::Error(Code code, std::string detail, std::string hint) : code_(code) {
    if (!detail.empty() || !hint.empty()) texts_ = std::make_unique<Texts>(Texts{std::move(detail), std::move(hint)});
}

Error::Error(const Error& other) : code_(other.code_) {
    if (other.texts_) texts_ = std::make_unique<Texts>(*other.texts_);
}

Error& Error::operator=(const Error& other) {
    if (this != &other) *this = Error(other);
    return *this;
}

const std::string& Error::detail() const noexcept {
    static const std::string none;
    return texts_ ? texts_->detail : none;
}

std::string_view Error::hint() const noexcept {
    return texts_ && !texts_->hint.empty() ? std::string_view(texts_->hint) : info(code_).remedy;
}

std::string Error::text() const {
    std::string out(name());
    out += ": ";
    out += detail().empty() ? info(code_).cause : std::string_view(detail());
    return out;
}

Failure fail(Code code, const char* detail) {
    return boost::outcome_v2::failure(Error(code, detail));
}

Failure fail(Code code, std::string detail, std::string hint) {
    return boost::outcome_v2::failure(Error(code, std::move(detail), std::move(hint)));
}

Error errno_error(int err, std::string what) {
    char buffer[128];
    const char* message = strerror_r(err, buffer, sizeof buffer);
    const Code code = (err == ENOSPC || err == EDQUOT) ? Code::disk_full : Code::io;
    return Error(code, std::move(what) + ": " + message);
}

}  // namespace tpf
