#include "pseudonym/submission.h"

#include <algorithm>

namespace tpf::pseudonym {

SubmissionReader::SubmissionReader(SubmissionHandler& handler, const XmlLimits& limits, std::size_t leaf_bytes)
    : handler_(handler),
      walker_(submission_schema(), *this, leaf_bytes, Code::wrong_root),
      scanner_(*this, XmlOptions{limits}) {}

Status SubmissionReader::enter(int id, const XmlStart& tag) {
    if (id == Field::root) {
        const bool version_1 = std::any_of(tag.attributes.begin(), tag.attributes.end(), [](const XmlAttribute& a) {
            return a.name.local == "versjon" && a.value == "1";
        });
        if (!version_1) return fail(Code::wrong_root, "Innsending is not of version 1");
    }
    if (id == Field::encrypted_data) return tell_header();
    if (id == Field::content) return handler_.content_begin(sealed_);
    return sealed_.enter(id, tag);
}

Status SubmissionReader::tell_header() {
    TPF_TRY(const ClearHeader header, fields_.header());
    return handler_.header(header, scanner_.bindings().in_force());
}

Status SubmissionReader::leave(int id) {
    if (id == Field::content) return handler_.content_end();
    return sealed_.leave(id);
}

Status SubmissionReader::leaf(int id, std::string_view value) {
    TPF_TRY(const bool taken, fields_.take(id, value));
    return taken ? ok() : sealed_.leaf(id, value);
}

Status SubmissionReader::stream(int id, std::string_view value) {
    if (id == Field::content) return handler_.content_piece(value);
    return sealed_.stream(id, value);
}

Result<std::size_t> SubmissionReader::stream_run(int id, std::string_view bytes) {
    if (id != Field::content) return std::size_t{0};
    return handler_.content_run(bytes);
}

}  // namespace tpf::pseudonym
