#include "pseudonym/sealed_data.h"

#include <algorithm>

namespace tpf::pseudonym {
namespace {

constexpr std::size_t kMaxWrappedText = 8192;  // RSA of 16384 bits is 2732 characters; the rest is for white space

std::string_view algorithm_of(const XmlStart& tag) {
    const auto found = std::find_if(tag.attributes.begin(), tag.attributes.end(),
                                    [](const XmlAttribute& a) { return a.name.local == "Algorithm"; });
    return found == tag.attributes.end() ? std::string_view() : found->value;
}

}  // namespace

void SealedData::reset() {
    cipher_.reset();
    transport_.reset();
    digest_uri_.reset();
    mgf_uri_.reset();
    key_name_.clear();
    wrapped_.clear();
    wrapped_text_ = 0;
    decoder_.reset();
}

Status SealedData::enter(int id, const XmlStart& tag) {
    switch (id) {
        case Field::content_method: {
            TPF_TRY(cipher_, crypto::parse_content_cipher(algorithm_of(tag)));
            return ok();
        }
        case Field::key_method:
            transport_uri_ = algorithm_of(tag);
            return ok();
        case Field::digest_method:
            if (digest_uri_) return fail(Code::not_allowed, "DigestMethod stands twice");
            digest_uri_ = algorithm_of(tag);
            return ok();
        case Field::mgf:
            mgf_uri_ = algorithm_of(tag);
            return ok();
        default:
            return ok();
    }
}

Status SealedData::leave(int id) {
    if (id == Field::key_method) {
        TPF_TRY(transport_, crypto::parse_key_transport(transport_uri_, digest_uri_, mgf_uri_));
    }
    if (id == Field::wrapped_key) return decoder_.finish();
    return ok();
}

Status SealedData::leaf(int id, std::string_view value) {
    if (id == Field::key_name) key_name_ = value;
    return ok();
}

Status SealedData::stream(int id, std::string_view value) {
    if (id != Field::wrapped_key) return ok();
    wrapped_text_ += value.size();
    if (wrapped_text_ > kMaxWrappedText) return fail(Code::limit, "an encrypted key is too long");
    const std::size_t before = wrapped_.size();
    wrapped_.resize(before + Base64Decoder::max_output(value.size()));
    TPF_TRY(const std::size_t size, decoder_.update(value, wrapped_.data() + before));
    wrapped_.resize(before + size);
    return ok();
}

}  // namespace tpf::pseudonym
