"""The sentences of the letters about claims in Turkish."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from monitor.mail.claim_words import ClaimWords

CLAIM: Final = ClaimWords(
    granted="KREDİ {percent}: {subscription} (talep {claim})",
    granted_so_far="ŞİMDİLİK KREDİ {percent}: {subscription} (talep {claim})",
    denied="KREDİ YOK: {subscription} (talep {claim})",
    denied_so_far="ŞİMDİLİK KREDİ YOK: {subscription} (talep {claim})",
    refused="TALEP REDDEDİLDİ: {subscription} (talep {claim})",
    granted_title="Kredi talebiniz kabul edildi",
    granted_so_far_title="Kredi talebiniz şimdilik kabul edildi",
    denied_title="Kredi hakkı doğmadı",
    denied_so_far_title="Şu ana kadar kredi hakkı doğmadı",
    refused_title="Kredi talebiniz reddedildi",
    examined="{made} tarihli talebiniz üzerine kayıtlarımızı inceledik (madde 6.3). Yanıtımız aşağıdadır:",
    credited=(
        "{month}: hizmetin erişilebilirliği {availability} olarak hesaplanmıştır. Aylık hizmet bedeli üzerinden "
        "{percent} oranında kredi ({amount}), {credited_in} döneminde hesabınıza eklenecektir (madde {clause}, 6.4)."
    ),
    would_be_credited=(
        "{month}: hizmetin erişilebilirliği {availability} olarak hesaplanmıştır. Ay bu şekilde tamamlanırsa aylık "
        "hizmet bedeli üzerinden {percent} oranında kredi ({amount}), {credited_in} döneminde hesabınıza eklenecektir "
        "(madde {clause}, 6.4)."
    ),
    target_met=(
        "{month}: hizmetin erişilebilirliği {availability} olarak hesaplanmıştır. {target} hedefi sağlandığından kredi "
        "hakkı doğmamıştır (madde {clause})."
    ),
    unpaid=(
        "{month}: hizmetin erişilebilirliği {availability} olarak hesaplanmıştır. {target} hedefi sağlanamamıştır; "
        "ancak kredi yalnızca {floor} altında verildiğinden kredi hakkı doğmamıştır (madde {clause})."
    ),
    not_measured=(
        "{month}: hesaba katılan bir ölçüm bulunmadığından {target} hedefiyle karşılaştırılacak bir değer yoktur ve "
        "kredi hakkı doğmamıştır (madde {clause})."
    ),
    provisional=(
        "{month} henüz tamamlanmadı: bu yanıt geçicidir ve {until} anındaki kayıtlara dayanır. Ayın değerleri, ay "
        "tamamlandığında kesinleşir."
    ),
    uncertain=(
        "Oran kesin değildir: kayıtlarımızın en düşük okuması {lowest}, en yüksek okuması {highest} oranında kredi "
        "gerektirir (madde {clause})."
    ),
    note="Açıklamamız: {note}",
    claim="Talep {claim}",
    subscription="Hizmet",
    made="Talep zamanı",
    in_time="{made}; son zaman {deadline} (6.2): süresinde",
    late="{made}; son zaman {deadline} (6.2): süresi geçmiş",
    outage="İlgili kesinti",
    began="{outage}: {server} sunucusunda {check}, başlangıç {began}",
    due="Son yanıt zamanı (6.3)",
    so_far="{month} (şu ana kadar)",
    availability="Erişilebilirlik ({clause})",
    bounds="{availability} (en az {lowest}, en çok {highest})",
    none="ölçüm yok",
    experienced="Yaşanan (4)",
    nothing_taken_out="{figure}, hiçbir süre hariç tutulmadan",
    coverage="Ölçüm kapsamı (8.2)",
    target="Hedef ({clause})",
    down="Kesinti süresi ({clause})",
    excluded="Hariç tutulan (4)",
    unknown="Bilinmeyen (8.2)",
    band="Dilim ({clause})",
    band_between="{lower} - {upper}: kredi oranı {percent}",
    band_to="{upper} ve altı: kredi oranı {percent}",
    band_from="{lower} ve üzeri: kredisiz",
    fee="Aylık bedel (6.4)",
    fee_divided="{months} ay için {fee}, {months} aya bölünür",
    credit="Kredi (6.4)",
    no_fee="bu hizmet için kayıtlı bir bedel yok",
    by_invoice="tutarı faturanıza göre",
    certain="Kesinlik ({clause})",
    yes="kesin: her iki sınır değer bu dilimdedir",
    no="kesin değil: sınır değerlerin oranları {lowest} ve {highest}",
    readings="{credit} (oran {percent})",
    credited_in="Kredi dönemi (6.4)",
    closed="Ay, {at} anında kapatılmıştır (kayıt defteri girdisi {entry}).",
    corrected="Sonradan düzeltme: {at} (kayıt defteri girdisi {entry}): {why}.",
    outages="{month}: kesintiler",
    outage_word="Kesinti {outage}",
    claimed="{server} sunucusunda {check}; talebinize konu olan kesinti",
    still_open="sürüyor",
    no_outages="Bu hizmetin ölçüldüğü kontrollerde kesinti yoktur.",
    more_outages="Ve {count} kesinti daha; tümü aylık raporda yer alır.",
    whole="Süreler, ayı aşan kesintilerde de tamdır ve hariç tutmalardan öncekidir.",
    excluded_card="{month}: hariç tutulanlar ve nedenleri",
    nothing_excluded="Hiçbir süre hariç tutulmamıştır (madde 4.1 - 4.10).",
    too_late="{reason}; {short} geç duyurulduğundan hiçbir süreyi hariç tutmaz (madde 4.1, 4.9)",
    references=MappingProxyType({"maintenance": "bakım {number}", "exclusion": "hariç tutma {number}"}),
    decisions_card="Sözleşmenin sessiz kaldığı yerlerde esas alınanlar",
    decisions=MappingProxyType(
        {
            "rounding=down": "Yüzdeler iki ondalığa aşağı yuvarlanır.",
            "rounding=half-up": "Yüzdeler iki ondalığa en yakın değere yuvarlanır, yarımlar yukarı.",
            "timezone": "Aylar, günler ve son zamanlar {value} saat dilimine göredir.",
            "credit=on-claim": "Kredi, süresinde talep edildiğinde verilir.",
            "credit=automatic": "Kredi, talep edilmese de verilir.",
            "prorate_fee": "Hizmet ayın yalnızca bir bölümünde verilmiş olsa da bedel bölünmez.",
            "unknown_time": "Hakkında kayıt bulunmayan süre, ne erişilebilir ne de kesinti sayılır.",
            "business_days": (
                "İş günleri, Türkiye'deki resmi tatiller dışında pazartesi - cuma günleridir; yarım gün tatiller iş "
                "günü sayılır."
            ),
            "credit_cap": "Bir hizmetin bir aydaki kredilerinin toplamı aylık bedelini aşamaz.",
            "exclusion_of_one_check": "Tek bir kontrol için yapılan hariç tutma yalnızca o kontrolü kapsar.",
            "changed_product": "Ayın son günündeki ürün, bedel ve hedef ayın tamamına uygulanır.",
        }
    ),
    records="Kayıtlar",
    entry="Kayıt defteri girdisi",
    hash="Özeti (SHA-256)",
    as_of="Kayıtların anı",
    evidence=(
        "Yukarıdaki bütün değerler, kayıt defterinin bu girdisine kadarki kayıtlarımızdan hesaplanmıştır; sonradan "
        "yapılacak her değişiklik bu özeti bozar. Kayıtlarımız kesin delil niteliğindedir (madde 6.3)."
    ),
    future_invoices="Krediler ileriki tarihli faturalarda kullanılır, iade edilmez (madde 6.5).",
    refused_late=(
        "{made} tarihli talebinizi değerlendiremiyoruz. Talepler, sorunun oluşmasından itibaren 2 iş günü içinde "
        "yapılmalıdır; bu kesinti için son zaman: {deadline} (madde 6.2)."
    ),
    refused_not_measured=(
        "{made} tarihli talebiniz için kredi veremiyoruz. Bu hizmetin erişilebilirliği şununla ölçülür: {measured}. "
        "{check} kesintileri bu değeri düşürmez (madde {clause})."
    ),
    refused_closing="Talebiniz bu yanıtla birlikte kayıtlarımızda saklanmaktadır.",
)
