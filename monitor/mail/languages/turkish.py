"""The letters' sentences in Turkish."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from monitor.mail.content import OperatorNews
from monitor.mail.languages.catalog import (
    CertificateWords,
    ClaimWords,
    MaintenanceWords,
    News,
    NoticeWords,
    OutageWords,
    Words,
)
from monitor.model import Reason, State

# --- claims -----------------------------------------------------------------------------------------------------------

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
    experienced="İstisnalar düşülmeden erişilebilirlik (4)",
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

_OUTAGE = OutageWords(
    down="KESİNTİ",
    up="DÜZELDİ",
    flapping="KARARSIZ",
    settled="KARARLI",
    down_title="Kesinti",
    up_title="Kesinti sona erdi",
    mixed_title="Kesintiler ve düzelmeler",
    flapping_title="Kararsız durum",
    settled_title="Durum yeniden kararlı",
    greeting="Sayın {name},",
    down_opening="İzleme sistemimiz aşağıdaki kesintiyi tespit etti:",
    up_opening="Aşağıdaki hizmetlere yeniden erişilebiliyor:",
    mixed_opening="İzleme sistemimiz aşağıdaki değişiklikleri tespit etti:",
    unsteady_opening="İzleme sistemimiz aşağıdaki durumu tespit etti:",
    down_closing="Kesinti sona erdiğinde bu yazışmada ikinci bir e-posta gönderilecektir.",
    servers="{count} sunucu",
    one_behind="{server} ve arkasındaki 1 sunucu",
    many_behind="{server} ve arkasındaki {count} sunucu",
    lasted="{server}: {length} sürdü",
    now="{server}: {state}",
    since="Başlangıç",
    seen="Gözlenen",
    start="Başlangıç",
    end="Bitiş",
    length="Süre",
    bounds="{counted} (en az {least}, en çok {most})",
    excluded="Hariç tutulan",
    excluded_note="bunun {length} süresi, şu anki kayıtlara göre",
    flapping_note="durumu çok sık değişiyor ({count} kez); kararlı hale gelene kadar başka e-posta gönderilmeyecek",
    unsteady="Kararsızlık başlangıcı",
    state="Durum",
    states=MappingProxyType(
        {
            State.UP: "erişilebilir",
            State.DOWN: "kesintide",
            State.UNKNOWN: "bilinmiyor",
            State.MAINTENANCE: "bakımda",
        }
    ),
    month="{subscription}, {month} (şu ana kadar)",
    standing="erişilebilirlik {availability}; hedef {target}: {verdict}",
    nothing_measured="henüz ölçüm yok; hedef {target}",
    met="sağlandı",
    missed="sağlanamadı",
    open="belirlenemedi",
    claim="Bu kesinti için kredi talebinin son zamanı: {deadline} (madde 6.2).",
    claim_of="{check} kesintisi için kredi talebinin son zamanı: {deadline} (madde 6.2).",
    claim_passed="{check} kesintisi için kredi talebinin son zamanı {deadline} idi (madde 6.2).",
    behind="{server} sunucusunun arkasındakiler:",
    reasons=MappingProxyType(
        {
            Reason.TIMEOUT: "zaman aşımı",
            Reason.REFUSED: "bağlantı reddedildi",
            Reason.UNREACHABLE: "ulaşılamıyor",
            Reason.RESET: "bağlantı sıfırlandı",
            Reason.CLOSED: "bağlantı kapatıldı",
            Reason.TLS: "TLS kurulamadı",
            Reason.TLS_NAME: "sertifika başka bir ada ait",
            Reason.TLS_EXPIRED: "sertifikanın süresi dolmuş",
            Reason.TLS_EARLY: "sertifika henüz geçerli değil",
            Reason.TLS_UNTRUSTED: "sertifikaya güvenilmiyor",
            Reason.TLS_REVOKED: "sertifika iptal edilmiş",
            Reason.PROTOCOL: "geçersiz yanıt",
            Reason.STATUS: "beklenmeyen durum kodu",
            Reason.REDIRECT: "hatalı yönlendirme",
            Reason.CONTENT: "beklenen içerik bulunamadı",
            Reason.LOGIN: "oturum açılamadı",
            Reason.HOST_KEY: "sunucu anahtarı farklı",
            Reason.HOST_BLOCKED: "izleme adresi sunucuda engellenmiş",
            Reason.TOO_MANY_CONNECTIONS: "çok fazla bağlantı",
        }
    ),
)

_MAINTENANCE = MaintenanceWords(
    words=MappingProxyType(
        {
            ("announced", "planned"): "BAKIM",
            ("announced", "emergency"): "ACİL BAKIM",
            ("extended", "planned"): "BAKIM UZATILDI",
            ("extended", "emergency"): "ACİL BAKIM UZATILDI",
            ("shortened", "planned"): "BAKIM KISALTILDI",
            ("shortened", "emergency"): "ACİL BAKIM KISALTILDI",
            ("cancelled", "planned"): "BAKIM İPTAL",
            ("cancelled", "emergency"): "ACİL BAKIM İPTAL",
        }
    ),
    titles=MappingProxyType(
        {
            ("announced", "planned"): "Planlı bakım",
            ("announced", "emergency"): "Acil bakım",
            ("extended", "planned"): "Planlı bakım uzatıldı",
            ("extended", "emergency"): "Acil bakım uzatıldı",
            ("shortened", "planned"): "Planlı bakım kısaltıldı",
            ("shortened", "emergency"): "Acil bakım kısaltıldı",
            ("cancelled", "planned"): "Planlı bakım iptal edildi",
            ("cancelled", "emergency"): "Acil bakım iptal edildi",
        }
    ),
    openings=MappingProxyType(
        {
            "announced": "Aşağıdaki bakım çalışması yapılacaktır. Bu süre içinde kesintiler yaşanabilir:",
            "extended": "Aşağıdaki bakım çalışması duyurulandan uzun sürecektir:",
            "shortened": "Aşağıdaki bakım çalışması duyurulandan erken bitecektir:",
            "cancelled": "Aşağıdaki bakım çalışması iptal edilmiştir:",
        }
    ),
    card="Bakım {id}",
    servers="Sunucular",
    start="Başlangıç",
    end="Bitiş",
    previous_end="Duyurulan bitiş",
    length="Süre",
    reason="Sebep",
    reference="Referans",
    qualifies=(
        "En az 4 gün (96 saat) önceden duyurulmuştur: bu süre içindeki kesintiler hesaba katılmaz (madde 4.1, 4.9)."
    ),
    too_late=(
        "Duyuru, gereken 4 günlük (96 saatlik) süreye göre {short} geç yapılmıştır: bu süre içindeki kesintiler "
        "hariç TUTULMAZ, kesinti olarak sayılır (madde 4.1, 4.9)."
    ),
    emergency=(
        "Acil bakım önceden haber verilmeksizin yapılabilir: bu süre içindeki kesintiler hesaba katılmaz (madde 4.9)."
    ),
    added="Eklenen bölüm ayrı bir duyurudur: {start} - {end}.",
    until="bitiş {end}",
    after_end="Değişiklik hemen geçerlidir: bitişten sonraki kesintiler sayılır.",
    cancelled="İptal hemen geçerlidir: bundan sonraki kesintiler her zamanki gibi sayılır.",
)

_NOTICE = NoticeWords(
    news=MappingProxyType(
        {
            OperatorNews.NO_CONNECTIVITY: News(
                "GÖREMİYOR",
                "İzleme sistemi dışarıyı göremiyor",
                "{at} anından beri hiçbir kanarya (canary) yanıt vermiyor. Biri yanıt verene kadar başarısızlıklar "
                "bilinmiyor olarak kaydedilir, kesinti başlamaz ve bitmez, müşterilere e-posta gönderilmez.",
            ),
            OperatorNews.ICMP: News(
                "ICMP YOK",
                "ICMP izni yok",
                "{at} anından beri işletim sistemi ICMP göndermeye izin vermiyor. Ping kontrolleri bilinmiyor olarak "
                "kaydedilir.",
            ),
            OperatorNews.DEAD_LETTER: News(
                "TESLİM EDİLEMEDİ",
                "Bir e-posta teslim edilemedi",
                "Bir e-posta {at} anında teslim edilemeyenlere taşındı ve artık denenmiyor. Hiçbir şey kaybolmadı: "
                '"monitor mail list" gösterir, "monitor mail resend" yeniden gönderir.',
            ),
            OperatorNews.STORE: News(
                "VERİTABANI HATASI",
                "Veritabanına yazılamadı",
                "{at} anından beri veritabanına yazılamıyordu, şimdi yeniden yazılıyor. Sonuçlar bellekte bekledi; "
                "sığmayanlar bilinmeyen süredir.",
            ),
            OperatorNews.RELOAD: News(
                "YAPILANDIRMA REDDEDİLDİ",
                "Yeniden yükleme reddedildi",
                "{at} anında yüklenen yapılandırmada hatalar vardı. Çalışan yapılandırma yürürlükte kalıyor.",
            ),
            OperatorNews.JOURNAL: News(
                "KAYIT ZİNCİRİ BOZUK",
                "Kayıt zinciri tutmuyor",
                "{at} anındaki denetim, kayıtların sonradan değiştirildiğini veya bozulduğunu gösterdi. Veritabanını "
                "olduğu gibi saklayın ve bir yedekle karşılaştırın.",
            ),
            OperatorNews.FIGURES_DRIFT: News(
                "DEĞERLER DÜZELTİLDİ",
                "Gösterilen değerler kayıtlardan sapmıştı",
                "{at} anındaki denetim, sayfadaki ve metriklerdeki bazı değerlerin kayıtlardan hesaplananlarla aynı "
                "olmadığını gösterdi. Değerler düzeltildi. Hesaplar, raporlar ve krediler kayıtlardan hesaplanır; "
                "bundan etkilenmez.",
            ),
            OperatorNews.CLAIM_OVERDUE: News(
                "YANIT GECİKTİ",
                "Bir talebin yanıtı gecikti",
                "Yanıt için son zaman {at} idi: talepler 2 iş günü içinde yanıtlanır (madde 6.3).",
            ),
        }
    ),
    particulars="Ayrıntılar",
    report="RAPOR",
    report_title="{month} raporu",
    report_opening="{month} hizmet raporunuz aşağıdadır:",
    subscriptions="{count} hizmet",
    availability="Erişilebilirlik",
    bounds="{availability} (en düşük {lowest}, en yüksek {highest})",
    none="ölçüm yok",
    coverage="Ölçüm kapsamı",
    target="Hedef",
    down="Kesinti süresi",
    excluded="Hariç tutulan",
    credit="Kredi",
    no_credit="yok",
    uncertain="{credit}; kesin değil, sınır değerler farklı dilimlere düşüyor",
    test="DENEME",
    test_title="E-posta çalışıyor",
    test_subject="izleme sisteminden e-posta",
    test_opening="Bu e-posta, gönderim yolunu denemek için gönderildi. Okuyabiliyorsanız çalışıyor demektir.",
    sent="Yazıldığı an",
    transport="Gönderim yolu",
)

_CERTIFICATE = CertificateWords(
    word="SERTİFİKA",
    days_left="kalan gün: {count}",
    expired="süresi doldu",
    title="Bir sertifikanın süresi dolmak üzere",
    opening="İzleme sistemimiz, süresi dolmak üzere olan bir sertifika görüyor. Tarayıcılar ve programlar süresi "
    "dolmuş sertifikayı reddeder; lütfen zamanında yenileyin.",
    expired_title="Bir sertifikanın süresi doldu",
    expired_opening="İzleme sistemimiz, süresi dolmuş bir sertifika görüyor. Tarayıcılar ve programlar bu sertifikayı "
    "reddeder; lütfen yenileyin.",
    expires="Bitiş tarihi",
    left="Kalan gün",
    checks="Görüldüğü yer",
    fingerprint="Parmak izi (SHA-256)",
    more="Süresi daha sonra dolacak diğer sertifikalar: {count}",
)

TURKISH: Final = Words(
    outage=_OUTAGE,
    maintenance=_MAINTENANCE,
    notice=_NOTICE,
    claim=CLAIM,
    certificate=_CERTIFICATE,
    look="Ayrıntılar için",
    zone="Zamanlar {zone} saat dilimindedir.",
    automatic="Bu e-posta otomatik olarak oluşturulmuştur.",
)
