"""The letters' sentences in Turkish."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from monitor.mail.claim_turkish import CLAIM
from monitor.mail.content import OperatorNews
from monitor.mail.languages.catalog import CertificateWords, MaintenanceWords, News, NoticeWords, OutageWords, Words
from monitor.model import Reason, State

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
    excluded_note="bunun {length} kadarı, şu anki kayıtlara göre",
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
            OperatorNews.BLIND: News(
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
            OperatorNews.FIGURES: News(
                "DEĞERLER DÜZELTİLDİ",
                "Gösterilen değerler kayıtlardan sapmıştı",
                "{at} anındaki denetim, sayfadaki ve metriklerdeki bazı değerlerin kayıtlardan hesaplananlarla aynı "
                "olmadığını gösterdi. Değerler düzeltildi. Hesaplar, raporlar ve krediler kayıtlardan hesaplanır; "
                "bundan etkilenmez.",
            ),
            OperatorNews.OVERDUE: News(
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
